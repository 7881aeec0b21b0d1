import type { DiskModule, Io } from '@diskstack/core';
import type { LayoutContext, VolumeLayout, VolumeSet } from '@diskstack/core/volumes';
import { readGptTable } from './gpt/gpt-table.ts';
import { isFileSystemBootSector } from './layout/boot-sector.ts';
import { ACTIVE, type BootRecord, decodeBootRecord, GPT_PROTECTIVE, isUsed } from './layout/mbr.ts';
import { readMbrTable } from './mbr/mbr-table.ts';
import { readSector } from './sector.ts';

/**
 * The layout for partition tables: MBR with EBRs, GPT, and hybrid MBRs, of which the GPT is used. Partitions have the
 * numbers of Linux and sfdisk, and can be written in place.
 */
export const partition: VolumeLayout = {
  name: 'partition',
  title: 'partition tables: MBR, GPT',
  async find(members, context, io = {}) {
    const sets: VolumeSet[] = [];
    for (const [index, { disk }] of members.entries()) {
      const set = await readTable(disk, context, io);
      if (set !== undefined) sets.push({ ...set, members: [index] });
    }
    return sets;
  },
};

/** UEFI specification, "GPT overview": the GPT is valid only if the MBR has a record of type 0xee. */
async function readTable(disk: DiskModule, context: LayoutContext, io: Io): Promise<VolumeSet | undefined> {
  const sector = await readSector(disk, 0, 512, io);
  const record = decodeBootRecord(sector);
  if (record === undefined || !isTable(disk, sector, record)) return undefined;
  const announcesGpt = record.records.some((entry) => entry.osType === GPT_PROTECTIVE);
  if (!announcesGpt) return readMbrTable(disk, record, context, io);
  const gpt = await readGptTable(disk, context, io);
  const others = record.records.filter((entry) => isUsed(entry) && entry.osType !== GPT_PROTECTIVE);
  if (others.length === 0) return gpt;
  if (gpt.problem === undefined) return { ...gpt, facts: { ...gpt.facts, hybridMbr: true } };
  // A hybrid disk whose GPT is damaged: the MBR still lists some of its partitions.
  const mbr = await readMbrTable(disk, record, context, io);
  return { ...mbr, problem: gpt.problem };
}

/**
 * Whether a sector that ends in 0x55aa is a partition table. Other boot sectors end in 0x55aa as well, but have code or
 * text instead of records, so their boot indicators are not 0 or 0x80. The boot sector of a file system is a table only if
 * at least one record is used and all used records are plausible.
 */
function isTable(disk: DiskModule, sector: Uint8Array, { records }: BootRecord): boolean {
  const isIndicated = records.every(({ bootIndicator }) => bootIndicator === 0 || bootIndicator === ACTIVE);
  if (!isIndicated) return false;
  if (!isFileSystemBootSector(sector)) return true;
  const used = records.filter(isUsed);
  const sectors = disk.size() / disk.blockSize;
  return (
    used.length > 0 &&
    used.every(
      ({ osType, startingLba, sizeInLba }) =>
        osType !== 0 && startingLba > 0 && startingLba + sizeInLba <= sectors,
    )
  );
}
