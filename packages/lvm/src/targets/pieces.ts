import { breathe } from '@diskstack/core/format';
import type { Target } from './target.ts';
import type { TargetReader } from './target-reader.ts';

/** Bytes that are read in one call. */
const PIECE = 256 * 1024;

/**
 * Reads `count` records of `bytes` bytes each, starting at byte `at` of the target, and calls `each` with a view that holds
 * record `index` as its record number `inPiece`. If `each` returns false, the loop ends and the result is false.
 */
export async function eachRecord(
  reader: TargetReader,
  target: Target,
  at: number,
  count: number,
  bytes: number,
  each: (piece: DataView, inPiece: number, index: number) => boolean,
): Promise<boolean> {
  const perPiece = Math.floor(PIECE / bytes);
  const buffer = new Uint8Array(Math.min(count, perPiece) * bytes);
  for (let first = 0; first < count; first += perPiece) {
    const records = Math.min(perPiece, count - first);
    const piece = buffer.subarray(0, records * bytes);
    await reader.read(target, at + first * bytes, piece);
    const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
    for (let index = 0; index < records; index++) if (!each(view, index, first + index)) return false;
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
  return true;
}
