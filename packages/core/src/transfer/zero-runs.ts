import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { writeFully } from '../io/range.ts';
import { firstNonZero } from './zero-bytes.ts';

/** Zeroes inside of data are left out by this unit: the block of most file systems, as `qemu-img convert -S 4k`. */
export const DEFAULT_MIN_ZEROES = 4096;

/** The blocks by which zeroes are looked for: the largest power of two that is not longer than the shortest run. */
export function zeroUnit(minZeroes: number): number {
  return 2 ** Math.floor(Math.log2(minZeroes));
}

/**
 * Writes the bytes without the runs of zeroes among them that are `minZeroes` long. Zeroes are counted by blocks from the
 * start of the disk.
 */
export async function writeNonZero(
  target: DiskModule,
  offset: number,
  bytes: Uint8Array,
  minZeroes: number,
  io: Io,
): Promise<void> {
  const unit = zeroUnit(minZeroes);
  for (let at = 0; at < bytes.length; ) {
    const start = blocksEnd(bytes, at, offset, unit, true);
    at = blocksEnd(bytes, start, offset, unit, false);
    while (unit < minZeroes && at < bytes.length) {
      const zeroesEnd = blocksEnd(bytes, at, offset, unit, true);
      if (zeroesEnd === bytes.length || zeroesEnd - at >= minZeroes) break;
      at = blocksEnd(bytes, zeroesEnd, offset, unit, false); // too short a run: it is written too
    }
    if (start < at) await writeFully(target, offset + start, bytes.subarray(start, at), io);
  }
}

/** Where the blocks from `at` on end that are zeroes, or that are not. No promise: it looks at every block. */
function blocksEnd(bytes: Uint8Array, at: number, offset: number, unit: number, zeroes: boolean): number {
  let end = at;
  while (end < bytes.length) {
    const blockEnd = Math.min(bytes.length, end + unit - ((offset + end) % unit));
    if ((firstNonZero(bytes, end, blockEnd) === -1) !== zeroes) break;
    end = blockEnd;
  }
  return end;
}
