import { DiskError, type Io } from '@diskstack/core';
import type { ExtentList } from '@diskstack/core/format';
import type { Source } from './sources.ts';

/**
 * A run of bytes of a logical volume, like a target of device-mapper. It translates offsets to bytes of its sources and reads
 * nothing. A target on another logical volume translates through it down to the physical volumes, so a read through any number
 * of levels is one read of a physical volume.
 */
export interface Target {
  /** Bytes. */
  readonly size: number;
  /**
   * Appends the extents of bytes `offset` to `offset + length`, in order and without gaps. It may cover only the start of
   * the range, but at least one byte. The list must not be full. Returns `undefined`, and no promise, if all tables are
   * in memory.
   */
  translate(offset: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined;
}

/** Bounds one call: extents that merge never fill a list. */
const MAX_PIECES = 65_536;

/** Calls `piece` for one part of the range after another, until the range is covered, the list is full, or a part waits. */
export function inPieces(
  offset: number,
  length: number,
  extents: ExtentList,
  piece: (offset: number, length: number) => Promise<void> | undefined,
): Promise<void> | undefined {
  let done = 0;
  for (let pieces = 0; done < length && pieces < MAX_PIECES && !extents.full; pieces++) {
    const before = extents.covered;
    const waiting = piece(offset + done, length - done);
    if (waiting !== undefined) return waiting;
    done += extents.covered - before;
  }
  return undefined;
}

/** `size` bytes of another target, starting at byte `start`. */
export function slice(target: Target, start: number, size: number): Target {
  if (start + size > target.size) {
    throw new DiskError(
      'ERR_CORRUPT',
      `${size} bytes at byte ${start} are needed of a volume that has ${target.size} bytes`,
    );
  }
  if (start === 0 && size === target.size) return target;
  return {
    size,
    translate: (offset, length, extents, io) => target.translate(start + offset, length, extents, io),
  };
}

/** `size` bytes of a source, starting at byte `at`. */
export function place({ number, isComputed }: Source, at: number, size: number): Target {
  return {
    size,
    translate(offset, length, extents) {
      if (isComputed) extents.unplaced(length, at + offset, number);
      else extents.data(length, at + offset, number);
      return undefined;
    },
  };
}

/** `size` zero bytes, stored nowhere. */
export function zeroes(size: number): Target {
  return {
    size,
    translate(_offset, length, extents) {
      extents.zero(length);
      return undefined;
    },
  };
}

/** The targets, one after another. */
export function concatenate(targets: readonly Target[]): Target {
  const [only] = targets;
  if (only !== undefined && targets.length === 1) return only;
  const starts: number[] = [];
  let size = 0;
  for (const target of targets) {
    starts.push(size);
    size += target.size;
  }
  const pieceAt = (offset: number): number => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  return {
    size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (at, left) => {
        const index = pieceAt(at);
        const target = targets[index] as Target;
        const within = at - (starts[index] ?? 0);
        return target.translate(within, Math.min(left, target.size - within), extents, io);
      }),
  };
}

/** Stripes: chunks of `chunk` bytes, on each of the targets in turn. */
export function interleave(targets: readonly Target[], chunk: number, size: number): Target {
  const count = targets.length;
  return {
    size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (at, left) => {
        const inChunk = at % chunk;
        const number = (at - inChunk) / chunk;
        const target = targets[number % count] as Target;
        const within = Math.floor(number / count) * chunk + inChunk;
        return target.translate(within, Math.min(left, chunk - inChunk), extents, io);
      }),
  };
}
