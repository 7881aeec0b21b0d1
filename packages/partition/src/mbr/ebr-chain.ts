import type { DiskModule, Io, Limits } from '@diskstack/core';
import { isZero } from '@diskstack/core/format';
import type { Volume } from '@diskstack/core/volumes';
import { decodeBootRecord, isExtended, isUsed, type PartitionRecord } from '../layout/mbr.ts';
import { readSector } from '../sector.ts';
import { recordVolume } from './record-volume.ts';

/** An extended partition of a disk. */
export interface ExtendedPartition {
  readonly disk: DiskModule;
  readonly sectorSize: number;
  readonly signature: string;
  readonly entry: PartitionRecord;
  readonly limits: Limits;
}

/**
 * Reads the logical partitions of an extended partition. Each has an EBR of its own, which counts the start of the
 * partition from itself, and the start of the next EBR from the extended partition. Where the chain of EBRs is damaged, the
 * list ends with a volume of status `error` that has the reason.
 */
export async function readLogicalPartitions(
  extended: ExtendedPartition,
  firstNumber: number,
  io: Io,
): Promise<readonly Volume[]> {
  const { disk, sectorSize, signature, entry, limits } = extended;
  const volumes: Volume[] = [];
  const add = (record: PartitionRecord, start: number, problem?: string): void => {
    const number = firstNumber + volumes.length;
    volumes.push(recordVolume(disk, { entry: record, number, start, sectorSize, signature, problem }));
  };
  const firstLba = entry.startingLba;
  const seen = new Set<number>();
  let link = entry;
  let lba = firstLba;
  for (;;) {
    const problem = linkProblem(extended, lba, seen);
    if (problem !== undefined) {
      add(link, lba * sectorSize, problem);
      return volumes;
    }
    seen.add(lba);
    const sector = await readSector(disk, lba * sectorSize, 512, io);
    const ebr = decodeBootRecord(sector);
    if (ebr === undefined) {
      // An extended partition without logical partitions may have no EBR.
      const isEmpty = lba === firstLba && isZero(sector);
      if (!isEmpty) add(link, lba * sectorSize, `the EBR in sector ${lba} does not end in 0x55aa`);
      return volumes;
    }
    for (const [index, record] of ebr.records.entries()) {
      if (!isUsed(record) || isExtended(record)) continue;
      if (index > 1 && logicalProblem(extended, lba, record) !== undefined) continue; // Linux ignores records 3 and 4 if they lie outside the extended partition: they are remains
      if (volumes.length >= limits.maxPartitions) {
        const reason = `there are more partitions than maxPartitions, ${limits.maxPartitions}; the rest is not listed`;
        add(record, (lba + record.startingLba) * sectorSize, reason);
        return volumes;
      }
      add(record, (lba + record.startingLba) * sectorSize, logicalProblem(extended, lba, record));
    }
    const next = ebr.records.find((record) => isUsed(record) && isExtended(record));
    if (next === undefined) return volumes;
    link = next;
    lba = firstLba + next.startingLba;
  }
}

function linkProblem(
  { disk, sectorSize, entry, limits }: ExtendedPartition,
  lba: number,
  seen: ReadonlySet<number>,
): string | undefined {
  if (seen.has(lba))
    return `the chain of EBRs comes back to sector ${lba} after ${seen.size} EBRs; the rest is not listed`;
  if (seen.size >= limits.maxPartitions)
    return `there are more EBRs than maxPartitions, ${limits.maxPartitions}; the rest is not listed`;
  const end = entry.startingLba + entry.sizeInLba;
  if (lba >= end) return `the next EBR is in sector ${lba}, but the extended partition ends at ${end}`;
  if ((lba + 1) * sectorSize > disk.size())
    return `the next EBR is at byte ${lba * sectorSize}, but the disk ends at ${disk.size()}`;
  return undefined;
}

/** What is wrong with a logical partition that does not lie inside the extended one. */
function logicalProblem(
  { entry }: ExtendedPartition,
  ebrLba: number,
  { startingLba, sizeInLba }: PartitionRecord,
): string | undefined {
  const end = ebrLba + startingLba + sizeInLba;
  const extendedEnd = entry.startingLba + entry.sizeInLba;
  if (end <= extendedEnd) return undefined;
  return `the partition ends in sector ${end}, but the extended partition ends in sector ${extendedEnd}`;
}
