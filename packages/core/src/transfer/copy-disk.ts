import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { readFully, writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';
import { overlapped } from './overlapped.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';
import { DEFAULT_MIN_ZEROES, writeNonZero } from './zero-runs.ts';

/** How far a transfer is, in guest bytes. */
export interface TransferProgress {
  readonly done: number;
  readonly total: number;
}

export interface TransferOptions extends Io {
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** How content is written. */
export interface WritingOptions {
  /**
   * Runs of zeroes in data that are shorter are written as they are. Default: 4096. With 0 all zeroes are written, so that
   * the target takes all of its space.
   */
  readonly minZeroes?: number | undefined;
  /** Data is written no faster than this. Default: as fast as it goes. */
  readonly bytesPerSecond?: number | undefined;
}

export interface CopyOptions extends TransferOptions, WritingOptions {
  /** What is not written to the target reads as zeroes there: zeroes are left out, and become holes of a file. */
  readonly targetIsZero?: boolean | undefined;
}

/** Bytes read at a time: what has been read is still in the processor's cache when it is written. */
const PIECE = 2 * 1024 * 1024;
/** Pieces in flight: one is written while another is read, and a third one has been. */
const IN_FLIGHT = 3;

/**
 * Copies the content of a disk, driven by its extents: what they call zero is never read. The memory it takes does not
 * depend on the disk. A target that is longer keeps what it has behind the end of the source. Nothing is flushed.
 */
export async function copyDisk(
  source: DiskModule,
  target: DiskModule,
  options: CopyOptions = {},
): Promise<void> {
  const {
    targetIsZero = false,
    minZeroes = DEFAULT_MIN_ZEROES,
    bytesPerSecond,
    onProgress,
    signal,
  } = options;
  const io: Io = { signal };
  const ahead: Io = { signal, ahead: true };
  const total = source.size();
  if (target.size() < total) {
    throw new DiskError(
      'ERR_OUT_OF_BOUNDS',
      `the target has ${target.size()} bytes, the source has ${total}`,
    );
  }

  let done = 0;
  const report = (length: number): void => {
    done += length;
    onProgress?.({ done, total });
  };
  const leavesOut = targetIsZero && minZeroes > 0;
  const pieceBytes = pieceOf(PIECE, bytesPerSecond);
  const limit = rateLimit(bytesPerSecond);
  const zeroes = leavesOut ? undefined : new Uint8Array(Math.min(pieceBytes, total));

  /** What has to be worked on: all, or the data alone. */
  async function* pieces(): AsyncGenerator<Run> {
    for await (const run of diskRuns(source, io)) {
      if (run.zero && leavesOut) report(run.length);
      else yield* piecesOf(run, pieceBytes);
    }
  }

  const work = async ({ offset, length, zero }: Run, buffer: Uint8Array): Promise<number> => {
    throwIfAborted(signal);
    if (limit !== undefined) await limit.take(length, signal);
    if (zero) {
      if (zeroes !== undefined) await writeFully(target, offset, zeroes.subarray(0, length), io);
      return length;
    }
    const bytes = buffer.subarray(0, length);
    const reading = readFully(source, offset, bytes, ahead);
    if (reading !== undefined) await reading; // no wait: a piece that is there is written immediately
    if (leavesOut) await writeNonZero(target, offset, bytes, minZeroes, io);
    else await writeFully(target, offset, bytes, io);
    return length;
  };

  for await (const length of overlapped(pieces(), ring(Math.min(pieceBytes, total)), work)) report(length);
}

function ring(bytes: number): readonly Uint8Array[] {
  return Array.from({ length: IN_FLIGHT }, () => transferBuffer(bytes));
}
