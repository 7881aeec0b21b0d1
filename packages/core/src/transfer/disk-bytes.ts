import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { readFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';

/** The most bytes in one part of data. */
const PIECE = 1024 * 1024;

/** A part of a disk: data, or a run of zeroes. */
export interface DiskPart {
  readonly offset: number;
  /** Length in bytes: at most 1 MiB for data, unlimited for zeroes. */
  readonly length: number;
  /** The data, valid until the next part is requested. `undefined` for zeroes, which are not read. */
  readonly bytes: Uint8Array | undefined;
}

/** Yields the content of a disk in order and without gaps. Reads the next part while the caller uses the current one. */
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
          ahead.catch(() => {}); // handles a rejection until the promise is awaited
          turn = turn === 0 ? 1 : 0;
        }
        if (before !== undefined) yield await before;
      }
    }
    if (ahead !== undefined) yield await ahead;
  } finally {
    await Promise.allSettled([ahead]); // no read is in flight after the end
  }
}
