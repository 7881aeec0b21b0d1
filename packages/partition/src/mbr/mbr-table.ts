import type { DiskModule, Io } from '@diskstack/core';
import type { LayoutContext, Volume, VolumeSet } from '@diskstack/core/volumes';
import { type BootRecord, decodeBootRecord, GPT_PROTECTIVE, isExtended, isUsed } from '../layout/mbr.ts';
import { readSector } from '../sector.ts';
import { readLogicalPartitions } from './ebr-chain.ts';
import { recordVolume } from './record-volume.ts';

/** Sector sizes to try: an MBR does not record the sector size that it counts in. */
const SECTOR_SIZES = [512, 4096];

/** Reads the partitions of a master boot record: up to four primary ones, and the logical ones of extended partitions. */
export async function readMbrTable(
  disk: DiskModule,
  record: BootRecord,
  context: LayoutContext,
  io: Io,
): Promise<VolumeSet> {
  const sectorSize = await sectorSizeOf(disk, record, io);
  const signature = record.diskSignature.toString(16).padStart(8, '0');
  let nextLogical = 5;
  const volumes: Volume[] = [];
  for (const [index, entry] of record.records.entries()) {
    if (!isUsed(entry) || entry.osType === GPT_PROTECTIVE) continue;
    let children: readonly Volume[] | undefined;
    if (isExtended(entry)) {
      const extended = { disk, sectorSize, signature, entry, limits: context.limits };
      children = await readLogicalPartitions(extended, nextLogical, io);
      nextLogical += children.length;
    }
    const start = entry.startingLba * sectorSize;
    volumes.push(recordVolume(disk, { entry, number: index + 1, start, sectorSize, signature, children }));
  }
  return { layout: 'mbr', members: [0], volumes, facts: { uuid: signature, sectorSize } };
}

/**
 * The sector size that the MBR counts in. A device reports its own. For an image it is the size for which the extended
 * partition starts with an EBR; without an extended partition it is the `blockSize` of the disk.
 */
async function sectorSizeOf(disk: DiskModule, { records }: BootRecord, io: Io): Promise<number> {
  const extended = records.find((entry) => isUsed(entry) && isExtended(entry));
  if (extended === undefined || disk.blockSize !== 512) return disk.blockSize;
  for (const sectorSize of SECTOR_SIZES) {
    const sector = await readSector(disk, extended.startingLba * sectorSize, 512, io);
    if (decodeBootRecord(sector) !== undefined) return sectorSize;
  }
  return disk.blockSize;
}
