import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { readFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';

/** Bytes of the longest part. */
const PIECE = 1024 * 1024;

/** A part of a disk: its bytes, or nothing but zeroes. */
export interface DiskPart {
  readonly offset: number;
  /** Bytes, at most 1 MiB for data. A run of zeroes has no bound. */
  readonly length: number;
  /** Valid until the next part is asked for. `undefined` for zeroes, which were not read. */
  readonly bytes: Uint8Array | undefined;
}

/** The content of a disk from its first byte to its last, without gaps. One part is read while the one before is in use. */
export async function* diskBytes(
  disk: DiskModule,
  { signal }: Io = {},
  pieceBytes: number = PIECE,
): AsyncGenerator<DiskPart, void, undefined> {
  const largest = Math.min(pieceBytes, disk.size());
  const buffers = [transferBuffer(largest), transferBuffer(largest)] as const;
  const fetch = async ({ offset, length }: Run, buffer: Uint8Array): Promise<DiskPart> => {
    const bytes = buffer.subarray(0, length);
    await readFully(disk, offset, bytes, { signal, ahead: true });
    return { offset, length, bytes };
  };

  let turn: 0 | 1 = 0;
  let ahead: Promise<DiskPart> | undefined;
  try {
    for await (const run of diskRuns(disk, { signal })) {
      for (const piece of run.zero ? [run] : piecesOf(run, largest)) {
        throwIfAborted(signal);
        const before = ahead;
        if (piece.zero)
          ahead = Promise.resolve({ offset: piece.offset, length: piece.length, bytes: undefined });
        else {
          ahead = fetch(piece, buffers[turn]);
          ahead.catch(() => {}); // its turn to be awaited comes later
          turn = turn === 0 ? 1 : 0;
        }
        if (before !== undefined) yield await before;
      }
    }
    if (ahead !== undefined) yield await ahead;
  } finally {
    await Promise.allSettled([ahead]); // nothing reads any more when it ends
  }
}
