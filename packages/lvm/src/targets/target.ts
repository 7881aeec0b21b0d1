import { DiskError, type ExtentList, type Io } from '@diskstack/core';

/**
 * A run of bytes that a logical volume is made of, as device-mapper's target: it answers where they are on the devices,
 * and reads none of them. What it says goes down through the volumes below to the physical ones, so that a read through
 * any number of them is one.
 */
export interface Target {
  /** Bytes. */
  readonly size: number;
  /**
   * Appends the extents of bytes `offset` to `offset + length`, in order and without gaps: all of them, or the first ones
   * and at least one byte, to a list that is not full. At once (`undefined`) when nothing has to be waited for.
   */
  translate(offset: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined;
}

/** Pieces that one call goes through: extents that merge never fill a list. */
const MAX_PIECES = 65_536;

/** Appends piece by piece until all is said, the list is full, or a piece has to be waited for. */
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

/** A run of bytes of another target. */
export function slice(target: Target, start: number, size: number): Target {
  if (start + size > target.size) {
    throw new DiskError(
      'ERR_CORRUPT',
      `${size} bytes from byte ${start} on of a volume of ${target.size} bytes`,
    );
  }
  if (start === 0 && size === target.size) return target;
  return {
    size,
    translate: (offset, length, extents, io) => target.translate(start + offset, length, extents, io),
  };
}

/** Bytes at one place of the devices. */
export function place(at: number, size: number): Target {
  return {
    size,
    translate(offset, length, extents) {
      extents.data(length, at + offset);
      return undefined;
    },
  };
}

/** Zeroes. */
export function zeroes(size: number): Target {
  return {
    size,
    translate(_offset, length, extents) {
      extents.zero(length);
      return undefined;
    },
  };
}

/** Targets one after another. */
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

/** Chunks of `chunk` bytes on each of the targets in turn. */
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
