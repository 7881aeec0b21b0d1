import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { readFully } from '../io/range.ts';

/** Fills `into` from a disk, with zeroes past the end of the disk. */
export async function readZeroPadded(
  disk: DiskModule,
  offset: number,
  into: Uint8Array,
  io: Io,
): Promise<void> {
  const there = Math.max(0, Math.min(into.length, disk.size() - offset));
  into.fill(0, there);
  if (there > 0) await readFully(disk, offset, into.subarray(0, there), io);
}
