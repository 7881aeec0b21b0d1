import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { writeFully } from '../io/range.ts';
import { firstNonZero } from './zero-bytes.ts';

/** Default of `minZeroes` in bytes: the block of most file systems, as `qemu-img convert -S 4k`. */
export const DEFAULT_MIN_ZEROES = 4096;

/** Size of the blocks that are tested for zeroes: the largest power of two that is not larger than `minZeroes`. */
export function zeroUnit(minZeroes: number): number {
  return 2 ** Math.floor(Math.log2(minZeroes));
}

/** Writes the bytes, but skips runs of `minZeroes` zeroes or more. Blocks are counted from the start of the disk. */
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
      at = blocksEnd(bytes, zeroesEnd, offset, unit, false); // the run is too short to skip
    }
    if (start < at) await writeFully(target, offset + start, bytes.subarray(start, at), io);
  }
}

/** Returns where a run of zero blocks (or nonzero blocks) that starts at `at` ends. Synchronous, because it tests every block. */
function blocksEnd(bytes: Uint8Array, at: number, offset: number, unit: number, zeroes: boolean): number {
  let end = at;
  while (end < bytes.length) {
    const blockEnd = Math.min(bytes.length, end + unit - ((offset + end) % unit));
    if ((firstNonZero(bytes, end, blockEnd) === -1) !== zeroes) break;
    end = blockEnd;
  }
  return end;
}
