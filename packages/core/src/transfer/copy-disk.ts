import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import { readFully } from '../range.ts';
import { transferBuffer } from '../transfer-buffer.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';
import { overlapped } from './overlapped.ts';
import { firstNonZero } from './zero-bytes.ts';

/** How far a transfer is, in guest bytes. */
export interface TransferProgress {
  readonly done: number;
  readonly total: number;
}

export interface TransferOptions extends Io {
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

export interface CopyOptions extends TransferOptions {
  /** What is not written to the target reads as zeroes there: zeroes are left out, and become holes of a file. */
  readonly targetIsZero?: boolean | undefined;
}

/** Bytes read at a time: what has been read is still in the processor's cache when it is written. */
const PIECE = 2 * 1024 * 1024;
/** Pieces in flight: one is written while another is read, and a third one has been. */
const IN_FLIGHT = 3;
/** Zeroes inside of data are left out by this unit: the block of most file systems, as `qemu-img convert -S 4k`. */
const HOLE = 4096;

/**
 * Copies the content of a disk, driven by its extents: what they call zero is never read. The memory it takes does not
 * depend on the disk. A target that is longer keeps what it has behind the end of the source. Nothing is flushed.
 */
export async function copyDisk(
  source: DiskModule,
  target: DiskModule,
  options: CopyOptions = {},
): Promise<void> {
  const { targetIsZero = false, onProgress, signal } = options;
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
  const zeroes = targetIsZero ? undefined : new Uint8Array(Math.min(PIECE, total));

  /** What has to be worked on: all, or the data alone. */
  async function* pieces(): AsyncGenerator<Run> {
    for await (const run of diskRuns(source, io)) {
      if (run.zero && targetIsZero) report(run.length);
      else yield* piecesOf(run, PIECE);
    }
  }

  const work = async ({ offset, length, zero }: Run, buffer: Uint8Array): Promise<number> => {
    throwIfAborted(signal);
    if (zero) {
      if (zeroes !== undefined) await target.write(offset, zeroes.subarray(0, length), io);
      return length;
    }
    const bytes = buffer.subarray(0, length);
    const reading = readFully(source, offset, bytes, ahead);
    if (reading !== undefined) await reading; // no wait: a piece that is there at once is written at once
    if (targetIsZero) await writeNonZero(target, offset, bytes, io);
    else await target.write(offset, bytes, io);
    return length;
  };

  for await (const length of overlapped(pieces(), ring(total), work)) report(length);
}

function ring(total: number): readonly Uint8Array[] {
  return Array.from({ length: IN_FLIGHT }, () => transferBuffer(Math.min(PIECE, total)));
}

/** Writes the bytes without the blocks of zeroes among them; blocks are counted from the start of the disk. */
async function writeNonZero(target: DiskModule, offset: number, bytes: Uint8Array, io: Io): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const start = blocksEnd(bytes, at, offset, true);
    at = blocksEnd(bytes, start, offset, false);
    if (start < at) await target.write(offset + start, bytes.subarray(start, at), io);
  }
}

/** Where the blocks from `at` on end that are zeroes, or that are not. No promise: it looks at every block. */
function blocksEnd(bytes: Uint8Array, at: number, offset: number, zeroes: boolean): number {
  let end = at;
  while (end < bytes.length) {
    const blockEnd = Math.min(bytes.length, end + HOLE - ((offset + end) % HOLE));
    if ((firstNonZero(bytes, end, blockEnd) === -1) !== zeroes) break;
    end = blockEnd;
  }
  return end;
}
