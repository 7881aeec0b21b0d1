import { bytes, struct, u8, u16, u32 } from '@diskstack/core';

/** UEFI specification, "Legacy Master Boot Record (MBR)". EBRs have the same layout, with two of the records in use. */
const MBR = struct('little', {
  bootCode: bytes(440),
  uniqueMbrDiskSignature: u32,
  unknown: u16,
  partitionRecords: bytes(64),
  signature: u16,
});

/** Bytes 0x55, 0xaa at the end of the sector. */
const SIGNATURE = 0xaa55;

/** UEFI specification, "MBR Partition Record". The fields in cylinders, heads and sectors say nothing since 8 GB disks. */
const PARTITION_RECORD = struct('little', {
  bootIndicator: u8,
  startingChs: bytes(3),
  osType: u8,
  endingChs: bytes(3),
  startingLba: u32,
  sizeInLba: u32,
});

export type PartitionRecord = ReturnType<typeof PARTITION_RECORD.decode>;

export interface BootRecord {
  readonly diskSignature: number;
  /** Four of them, used or not. */
  readonly records: readonly PartitionRecord[];
}

/** GPT's mark in an MBR: this disk is not for tools that know MBRs alone. */
export const GPT_PROTECTIVE = 0xee;
/** Active: the boot code starts this partition. Other values than this and 0 are no record. */
export const ACTIVE = 0x80;

/** The records of a sector, `undefined` where it does not end in 0x55aa or is no whole sector. */
export function decodeBootRecord(sector: Uint8Array): BootRecord | undefined {
  if (sector.length < MBR.size) return undefined;
  const { uniqueMbrDiskSignature, partitionRecords, signature } = MBR.decode(sector);
  if (signature !== SIGNATURE) return undefined;
  const records = [0, 1, 2, 3].map((index) =>
    PARTITION_RECORD.decode(partitionRecords.subarray(index * PARTITION_RECORD.size)),
  );
  return { diskSignature: uniqueMbrDiskSignature, records };
}

/** Kinds of extended partitions, which hold a chain of EBRs: CHS, LBA, Linux. */
export function isExtended({ osType }: PartitionRecord): boolean {
  return osType === 0x05 || osType === 0x0f || osType === 0x85;
}

/** A record that names sectors. Its type may be 0: Linux and sfdisk list such a partition too. */
export function isUsed({ sizeInLba }: PartitionRecord): boolean {
  return sizeInLba > 0;
}
