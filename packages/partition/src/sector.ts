import { type DiskModule, type Io, readFully } from '@diskstack/core';

/** The bytes of a sector, fewer or none where the disk ends before it does. */
export async function readSector(disk: DiskModule, at: number, length: number, io: Io): Promise<Uint8Array> {
  const sector = new Uint8Array(Math.max(0, Math.min(length, disk.size() - at)));
  if (sector.length > 0) await readFully(disk, at, sector, io);
  return sector;
}
