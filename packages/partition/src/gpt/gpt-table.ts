import { DiskError, type DiskModule, type Io, type LayoutContext, type VolumeSet } from '@diskstack/core';
import { decodeGptHeader, GPT_HEADER, hasGptSignature } from '../layout/gpt-header.ts';
import { readSector } from '../sector.ts';
import { readGptEntries } from './gpt-entries.ts';

/** Sector sizes of disks: which one it is, is written nowhere. A header in sector 1 tells. */
const SECTOR_SIZES = [512, 4096, 1024, 2048];

/** What was found of one copy of a table. */
interface Copy {
  readonly sectorSize: number;
  /** Sector of the other copy, as this one says; of a damaged header, a hint. */
  readonly alternate?: number | undefined;
  readonly set?: VolumeSet;
  /** Why there is no set. */
  readonly problem?: string;
}

/** The partitions of a GPT: of its primary copy, and of its backup where that one is damaged. */
export async function readGptTable(disk: DiskModule, context: LayoutContext, io: Io): Promise<VolumeSet> {
  const primary = await readPrimary(disk, context, io);
  if (primary.set !== undefined) {
    const warning = await backupProblem(disk, primary, io);
    return warning === undefined ? primary.set : warned(primary.set, `the backup GPT: ${warning}`);
  }
  const backup = await readBackup(disk, primary, context, io);
  if (backup.set !== undefined)
    return warned(backup.set, `the primary GPT: ${primary.problem}; this is the backup`);
  return {
    layout: 'gpt',
    members: [0],
    volumes: [],
    problem: `neither copy of the GPT can be read; primary: ${primary.problem}; backup: ${backup.problem}`,
  };
}

function warned(set: VolumeSet, warning: string): VolumeSet {
  return { ...set, facts: { ...set.facts, warnings: [warning] } };
}

async function readPrimary(disk: DiskModule, context: LayoutContext, io: Io): Promise<Copy> {
  let first: Copy | undefined;
  for (const sectorSize of sectorSizes(disk)) {
    if (!(await hasHeader(disk, sectorSize, 1, io))) continue;
    const copy = await readCopy(disk, sectorSize, 1, context, io);
    if (copy.set !== undefined) return copy;
    first ??= copy;
  }
  return first ?? { sectorSize: disk.blockSize, problem: 'no "EFI PART" in sector 1' };
}

/** The backup is in the last sector, or where the primary header says: a disk may have grown since. */
async function readBackup(disk: DiskModule, primary: Copy, context: LayoutContext, io: Io): Promise<Copy> {
  let first: Copy | undefined;
  for (const sectorSize of sectorSizes(disk)) {
    const last = Math.floor(disk.size() / sectorSize) - 1;
    const told = sectorSize === primary.sectorSize ? (primary.alternate ?? last) : last;
    for (const lba of new Set([told, last])) {
      if (lba <= 1 || !(await hasHeader(disk, sectorSize, lba, io))) continue;
      const copy = await readCopy(disk, sectorSize, lba, context, io);
      if (copy.set !== undefined) return copy;
      first ??= copy;
    }
  }
  return first ?? { sectorSize: disk.blockSize, problem: 'no "EFI PART" in the last sector' };
}

function sectorSizes({ blockSize }: DiskModule): readonly number[] {
  return [...new Set([blockSize, ...SECTOR_SIZES])];
}

async function hasHeader(disk: DiskModule, sectorSize: number, lba: number, io: Io): Promise<boolean> {
  const at = lba * sectorSize;
  return Number.isSafeInteger(at) && hasGptSignature(await readSector(disk, at, 8, io));
}

async function readCopy(
  disk: DiskModule,
  sectorSize: number,
  lba: number,
  context: LayoutContext,
  io: Io,
): Promise<Copy> {
  const at = lba * sectorSize;
  const sector = await readSector(disk, at, sectorSize, io);
  let alternate: number | undefined;
  try {
    alternate = Number(GPT_HEADER.decode(sector, at).alternateLba);
    const header = decodeGptHeader(sector, lba, at);
    const { volumes, problem } = await readGptEntries(disk, header, sectorSize, context, io);
    const facts = { uuid: header.diskGuid, sectorSize };
    return { sectorSize, alternate, set: { layout: 'gpt', members: [0], volumes, problem, facts } };
  } catch (error) {
    return { sectorSize, alternate, problem: damage(error) };
  }
}

/** Only the header of the backup is looked at: the table is whole without it. */
async function backupProblem(
  disk: DiskModule,
  { sectorSize, alternate: lba = 0 }: Copy,
  io: Io,
): Promise<string | undefined> {
  const at = lba * sectorSize;
  if (!Number.isSafeInteger(at) || at + sectorSize > disk.size())
    return `sector ${lba} is past the end of the disk`;
  try {
    decodeGptHeader(await readSector(disk, at, sectorSize, io), lba, at);
    return undefined;
  } catch (error) {
    return damage(error);
  }
}

/** What is wrong with the bytes. What keeps them from being read is no damage, and goes on. */
function damage(error: unknown): string {
  const told = error instanceof DiskError ? error : undefined;
  if (told?.code === 'ERR_CORRUPT' || told?.code === 'ERR_TRUNCATED' || told?.code === 'ERR_LIMIT')
    return told.message;
  throw error;
}
