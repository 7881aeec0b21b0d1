import { breathe } from '../async/breathe.ts';
import type { Io, ReadIo } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../contracts/errors.ts';
import { readTarget } from './range.ts';

/**
 * Bytes that are read before the event loop may have its turn: 1 ms from memory, some 10 ms of slow decompression. A
 * multiple of every cluster size, so that no cluster is cut.
 */
const PIECE = 2 * 1024 * 1024;

/** Fills `into` with the bytes at `offset`; `undefined` when it is full already. */
type Fill = (offset: number, into: Uint8Array, io: Io) => Promise<void> | undefined;

/** What a disk that answers `read` has. */
interface Readable {
  size(): number;
  readonly readInto: Fill;
}

/**
 * The public `read` of a disk: clipped at its end, and in pieces where it is long, so that no call keeps the event loop.
 *
 * @param long reads what is longer than one piece, by `inPieces`. The disk must not close meanwhile
 */
export async function answerRead(
  disk: Readable,
  offset: number,
  length: number,
  io: ReadIo,
  long: (offset: number, into: Uint8Array, io: Io) => Promise<void>,
): Promise<Uint8Array> {
  const into = readTarget(disk.size(), offset, length, io.into);
  if (into.length > 0) {
    const reading = into.length > PIECE ? long(offset, into, io) : disk.readInto(offset, into, io);
    if (reading !== undefined) await reading;
  }
  const pause = breathe();
  if (pause !== undefined) await pause;
  return into;
}

/** Fills `into` piece by piece. `fill` does not ask whether the disk is open: the caller holds it open. */
export async function inPieces(offset: number, into: Uint8Array, io: Io, fill: Fill): Promise<void> {
  for (let done = 0; done < into.length; ) {
    throwIfAborted(io.signal);
    const length = Math.min(into.length - done, PIECE - ((offset + done) % PIECE));
    const reading = fill(offset + done, into.subarray(done, done + length), io);
    if (reading !== undefined) await reading;
    const pause = breathe();
    if (pause !== undefined) await pause;
    done += length;
  }
}
