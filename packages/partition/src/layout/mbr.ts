import { bytes, struct, u8, u16, u32 } from '@diskstack/core/format';

/** UEFI specification, "Legacy Master Boot Record (MBR)". EBRs have the same layout and use two of the four records. */
const MBR = struct('little', {
  bootCode: bytes(440),
  uniqueMbrDiskSignature: u32,
  unknown: u16,
  partitionRecords: bytes(64),
  signature: u16,
});

/** Bytes 0x55, 0xaa at the end of the sector. */
const SIGNATURE = 0xaa55;

/** UEFI specification, "MBR Partition Record". The fields in cylinders, heads and sectors are not used: they end at 8 GB. */
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
  /** All four records, used and unused. */
  readonly records: readonly PartitionRecord[];
}

/** The type of a protective MBR: the disk has a GPT, and tools that only know MBRs must not change it. */
export const GPT_PROTECTIVE = 0xee;
/** The boot indicator of the partition that the boot code starts. The only other valid value is 0. */
export const ACTIVE = 0x80;

/** Decodes an MBR or an EBR; `undefined` if the sector is shorter than 512 bytes or does not end in 0x55aa. */
export function decodeBootRecord(sector: Uint8Array): BootRecord | undefined {
  if (sector.length < MBR.size) return undefined;
  const { uniqueMbrDiskSignature, partitionRecords, signature } = MBR.decode(sector);
  if (signature !== SIGNATURE) return undefined;
  const records = [0, 1, 2, 3].map((index) =>
    PARTITION_RECORD.decode(partitionRecords.subarray(index * PARTITION_RECORD.size)),
  );
  return { diskSignature: uniqueMbrDiskSignature, records };
}

/** Whether a partition is an extended one, which holds a chain of EBRs. The types are those for CHS, LBA and Linux. */
export function isExtended({ osType }: PartitionRecord): boolean {
  return osType === 0x05 || osType === 0x0f || osType === 0x85;
}

/** Whether a record is used: it has sectors. Its type may be 0, because Linux and sfdisk list such a partition as well. */
export function isUsed({ sizeInLba }: PartitionRecord): boolean {
  return sizeInLba > 0;
}
