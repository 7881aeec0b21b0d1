import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { readFully, writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { clonedRuns, mayClone } from './cloned-runs.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';
import { overlapped } from './overlapped.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';
import { DEFAULT_MIN_ZEROES, writeNonZero } from './zero-runs.ts';

/** Progress of a transfer, in guest bytes. */
export interface TransferProgress {
  readonly done: number;
  readonly total: number;
}

export interface TransferOptions extends Io {
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** How data is written. */
export interface WritingOptions {
  /**
   * Skips runs of zeroes within data that have at least this many bytes. Default: 4096. With 0 all zeroes are written, and the
   * target is fully allocated.
   */
  readonly minZeroes?: number | undefined;
  /** Most bytes written each second. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
  /**
   * Shares the stored bytes of source and target where their file system can, instead of reading and writing them. Zeroes in such
   * bytes are not looked for. Default: true, unless `minZeroes` or `bytesPerSecond` is given.
   */
  readonly clone?: boolean | undefined;
}

export interface CopyOptions extends TransferOptions, WritingOptions {
  /** The target reads as zeroes where nothing is written. Zeroes are then skipped, and become holes of a file. Default: false. */
  readonly targetIsZero?: boolean | undefined;
}

/** Bytes per read: few enough to be in the processor's cache still when they are written. */
const PIECE = 2 * 1024 * 1024;
/** Zeroes of one call of `writeZeroes`. */
const ZERO_PIECE = 64 * 1024 * 1024;
/** Pieces in flight: one is being written, one has been read, and one is being read. */
const IN_FLIGHT = 3;

/**
 * Copies the content of a disk. Ranges that the extents report as zero are not read. Memory use does not depend on the size of
 * the disk. A longer target keeps its content past the end of the source. Does not flush the target.
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
  const skipsZeroes = targetIsZero && minZeroes > 0;
  const zeroing = minZeroes > 0 && can(target, 'writeZeroes') ? target : undefined;
  const pieceBytes = pieceOf(PIECE, bytesPerSecond);
  const limit = rateLimit(bytesPerSecond);
  // With a limit, zeroes count as other bytes: a target may have to write them.
  const zeroBytes = zeroing !== undefined && limit === undefined ? ZERO_PIECE : pieceBytes;
  const zeroes = skipsZeroes || zeroing ? undefined : new Uint8Array(Math.min(pieceBytes, total));

  /** The pieces to copy: data, and zeroes unless they are skipped. */
  async function* pieces(): AsyncGenerator<Run> {
    const runs = mayClone(options) ? clonedRuns(source, target, io, report) : diskRuns(source, io);
    for await (const run of runs) {
      if (run.zero && skipsZeroes) report(run.length);
      else yield* piecesOf(run, run.zero ? zeroBytes : pieceBytes);
    }
  }

  const work = async ({ offset, length, zero }: Run, buffer: Uint8Array): Promise<number> => {
    throwIfAborted(signal);
    if (limit !== undefined) await limit.take(length, signal);
    if (zero) {
      if (zeroing !== undefined) await zeroing.writeZeroes(offset, length, { signal, unmap: true });
      else if (zeroes !== undefined) await writeFully(target, offset, zeroes.subarray(0, length), io);
      return length;
    }
    const bytes = buffer.subarray(0, length);
    const reading = readFully(source, offset, bytes, ahead);
    if (reading !== undefined) await reading; // no `await` without a promise: a cached piece is written immediately
    if (skipsZeroes) await writeNonZero(target, offset, bytes, minZeroes, io);
    else await writeFully(target, offset, bytes, io);
    return length;
  };

  for await (const length of overlapped(pieces(), ring(Math.min(pieceBytes, total)), work)) report(length);
}

function ring(bytes: number): readonly Uint8Array[] {
  return Array.from({ length: IN_FLIGHT }, () => transferBuffer(bytes));
}
