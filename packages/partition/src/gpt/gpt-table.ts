import { DiskError, type DiskModule, type Io } from '@diskstack/core';
import type { LayoutContext, VolumeSet } from '@diskstack/core/volumes';
import { decodeGptHeader, GPT_HEADER, hasGptSignature } from '../layout/gpt-header.ts';
import { readSector } from '../sector.ts';
import { readGptEntries } from './gpt-entries.ts';

/** Sector sizes to try: a GPT does not record its sector size. The right one is that for which sector 1 has a header. */
const SECTOR_SIZES = [512, 4096, 1024, 2048];

/** The primary or the backup copy of a table. */
interface Copy {
  readonly sectorSize: number;
  /** The sector of the other copy according to this one. Of a damaged header, only a hint. */
  readonly alternate?: number | undefined;
  readonly set?: VolumeSet;
  /** The reason why there is no `set`. */
  readonly problem?: string;
}

/** Reads the partitions of a GPT from its primary copy, or from the backup if the primary is damaged. */
export async function readGptTable(disk: DiskModule, context: LayoutContext, io: Io): Promise<VolumeSet> {
  const primary = await readPrimary(disk, context, io);
  if (primary.set !== undefined) {
    const warning = await backupProblem(disk, primary, io);
    return warning === undefined ? primary.set : warned(primary.set, `the backup GPT: ${warning}`);
  }
  const backup = await readBackup(disk, primary, context, io);
  if (backup.set !== undefined)
    return warned(backup.set, `the primary GPT: ${primary.problem}; the backup is used`);
  return {
    layout: 'gpt',
    members: [0],
    volumes: [],
    problem: `both copies of the GPT are damaged; primary: ${primary.problem}; backup: ${backup.problem}`,
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

/** Reads the backup, which is in the last sector, or in the sector that the primary records if the disk has grown since. */
async function readBackup(disk: DiskModule, primary: Copy, context: LayoutContext, io: Io): Promise<Copy> {
  let first: Copy | undefined;
  for (const sectorSize of sectorSizes(disk)) {
    const last = Math.floor(disk.size() / sectorSize) - 1;
    const recorded = sectorSize === primary.sectorSize ? (primary.alternate ?? last) : last;
    for (const lba of new Set([recorded, last])) {
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

/** What is wrong with the header of the backup. Its entries are not read, because the primary is complete. */
async function backupProblem(
  disk: DiskModule,
  { sectorSize, alternate: lba = 0 }: Copy,
  io: Io,
): Promise<string | undefined> {
  const at = lba * sectorSize;
  if (!Number.isSafeInteger(at) || at + sectorSize > disk.size())
    return `it is in sector ${lba}, but the disk ends at byte ${disk.size()}`;
  try {
    decodeGptHeader(await readSector(disk, at, sectorSize, io), lba, at);
    return undefined;
  } catch (error) {
    return damage(error);
  }
}

/** The message of an error about the content of the table. Errors of the storage and aborts are thrown again. */
function damage(error: unknown): string {
  const code = error instanceof DiskError ? error.code : undefined;
  if (code === 'ERR_CORRUPT' || code === 'ERR_TRUNCATED' || code === 'ERR_LIMIT')
    return (error as DiskError).message;
  throw error;
}
