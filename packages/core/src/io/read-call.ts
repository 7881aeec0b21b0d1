import { breathe, isTurnOver } from '../async/breathe.ts';
import type { Io, ReadIo } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { readTarget } from './range.ts';

/**
 * Bytes that are read at most before the event loop may have its turn: 1 ms from memory. A multiple of every cluster size, so
 * that no cluster is cut.
 */
const LONGEST_PIECE = 2 * 1024 * 1024;
/** Pieces are not shorter, however slow the work is: usual clusters are not cut. */
const SHORTEST_PIECE = 256 * 1024;
/** A piece of slow work, decompression as a rule, takes some 10 ms: the next one is shorter, until it does. */
const SLOW_MS = 10;
const QUICK_MS = 3;

let pieceBytes = LONGEST_PIECE;

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
 * @param long reads by `inPieces`, and holds the disk open meanwhile
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
    // A read that begins when the turn is over waits first, and the disk stays open meanwhile.
    const reading =
      into.length > pieceBytes || isTurnOver() ? long(offset, into, io) : disk.readInto(offset, into, io);
    if (reading !== undefined) await reading;
  }
  return into;
}

/** Fills `into` piece by piece. `fill` does not ask whether the disk is open: the caller holds it open. */
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
