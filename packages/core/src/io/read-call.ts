import { breathe, isTurnOver } from '../async/breathe.ts';
import type { Io, ReadIo } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { readTarget } from './range.ts';

/** Maximum bytes to read before yielding to the event loop: 1 ms from memory. A multiple of every cluster size, to split none. */
const LONGEST_PIECE = 2 * 1024 * 1024;
/** Minimum bytes of a piece, so that clusters of usual sizes are not split. */
const SHORTEST_PIECE = 256 * 1024;
/** Pieces get shorter while one takes longer than this (usually because of decompression), and longer below `QUICK_MS`. */
const SLOW_MS = 10;
const QUICK_MS = 3;

let pieceBytes = LONGEST_PIECE;

/** Fills `into` with the bytes at `offset`. Returns `undefined` if it completed synchronously. */
type Fill = (offset: number, into: Uint8Array, io: Io) => Promise<void> | undefined;

/** What `answerRead` needs of a disk. */
interface Readable {
  size(): number;
  readonly readInto: Fill;
}

/**
 * Implements `DiskModule.read`: clips at the end of the disk, and splits a long read so that it does not block the event loop.
 *
 * @param long reads with `inPieces`, and keeps the disk open meanwhile
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
    // If the turn is over, the read has to yield before it begins. `long` keeps the disk open during the wait.
    const reading =
      into.length > pieceBytes || isTurnOver() ? long(offset, into, io) : disk.readInto(offset, into, io);
    if (reading !== undefined) await reading;
  }
  return into;
}

/** Fills `into` piece by piece. The caller keeps the disk open, so `fill` need not check that it is. */
export async function inPieces(offset: number, into: Uint8Array, io: Io, fill: Fill): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    throwIfAborted(io.signal);
    const length = Math.min(into.length - done, pieceBytes - ((offset + done) % pieceBytes));
    const part = length === into.length ? into : into.subarray(done, done + length);
    const start = Date.now();
    const reading = fill(offset + done, part, io);
    if (reading !== undefined) await reading;
    else adapt(Date.now() - start, length);
    done += length;
  }
}

function adapt(milliseconds: number, length: number): void {
  if (milliseconds > SLOW_MS) pieceBytes = Math.max(SHORTEST_PIECE, pieceBytes / 2);
  else if (milliseconds < QUICK_MS && length === pieceBytes)
    pieceBytes = Math.min(LONGEST_PIECE, pieceBytes * 2);
}
