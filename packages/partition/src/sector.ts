import type { DiskModule, Io } from '@diskstack/core';
import { readFully } from '@diskstack/core/format';

/** Reads `length` bytes at byte `at`; fewer if the disk ends before. */
export async function readSector(disk: DiskModule, at: number, length: number, io: Io): Promise<Uint8Array> {
  const sector = new Uint8Array(Math.max(0, Math.min(length, disk.size() - at)));
  if (sector.length > 0) await readFully(disk, at, sector, io);
  return sector;
}
