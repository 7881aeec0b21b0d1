import { breathe } from '../async/breathe.ts';
import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { throwIfAborted } from '../errors/disk-error.ts';

/** A run of guest bytes that either reads as zeroes or has to be read. */
export interface Run {
  readonly offset: number;
  readonly length: number;
  readonly zero: boolean;
}

/**
 * The content of a disk as runs of data and zeroes, in order and without gaps. Neighbouring extents of one kind are merged. A
 * disk without extents is one run of data.
 */
export async function* diskRuns(disk: DiskModule, io: Io): AsyncGenerator<Run> {
  const size = disk.size();
  if (size === 0) return;
  if (!can(disk, 'extents')) {
    yield { offset: 0, length: size, zero: false };
    return;
  }
  yield* mergedRuns(disk.extents(0, size, io), io);
}

/** Merges extents that follow each other and are of one kind. */
export async function* mergedRuns(
  extents: AsyncIterable<Pick<DiskExtent, 'offset' | 'length' | 'kind'>>,
  io: Io,
): AsyncGenerator<Run> {
  let run: Run | undefined;
  for await (const { offset, length, kind } of extents) {
    throwIfAborted(io.signal);
    const pause = breathe();
    if (pause !== undefined) await pause;
    const zero = kind === 'zero';
    if (run?.zero === zero && run.offset + run.length === offset) {
      run = { ...run, length: run.length + length };
    } else {
      if (run !== undefined) yield run;
      run = { offset, length, zero };
    }
    // Long data is yielded in parts, so that the copy can begin before all extents are known.
    if (!run.zero && run.length >= LONG_RUN) {
      yield run;
      run = undefined;
    }
  }
  if (run !== undefined) yield run;
}

/** The runs of a disk, with zeroes behind its end up to `total`. */
export async function* paddedRuns(disk: DiskModule, total: number, io: Io): AsyncGenerator<Run> {
  yield* diskRuns(disk, io);
  const size = disk.size();
  if (size < total) yield { offset: size, length: total - size, zero: true };
}

/** Data of this many bytes is yielded before the next extents are read. */
const LONG_RUN = 16 * 1024 * 1024;

/** Splits a run at multiples of `pieceBytes`. No piece is longer than `pieceBytes`. */
export function* piecesOf(run: Run, pieceBytes: number): Generator<Run> {
  const end = run.offset + run.length;
  for (let offset = run.offset; offset < end; ) {
    const length = Math.min(end - offset, pieceBytes - (offset % pieceBytes));
    yield { offset, length, zero: run.zero };
    offset += length;
  }
}
