import type { DiskModule } from '@diskstack/core';
import type { Volume } from '@diskstack/core/volumes';
import { ACTIVE, type PartitionRecord } from '../layout/mbr.ts';
import { partitionVolume } from '../partition-volume.ts';
import { MBR_TYPES } from '../types/mbr-types.ts';
import { UNREAD_MBR_TYPES } from '../types/unread-types.ts';

/** A partition record, and its context in the table. */
export interface RecordPlace {
  readonly entry: PartitionRecord;
  readonly number: number;
  /** The byte of the disk at which the partition starts. */
  readonly start: number;
  readonly sectorSize: number;
  /** The disk signature in hexadecimal. It is part of the UUIDs of the partitions. */
  readonly signature: string;
  readonly problem?: string | undefined;
  readonly children?: readonly Volume[] | undefined;
}

/** The volume for a record of an MBR or an EBR. */
export function recordVolume(disk: DiskModule, place: RecordPlace): Volume {
  const { entry, number, start, sectorSize, signature, problem, children } = place;
  const { osType, bootIndicator, sizeInLba } = entry;
  return partitionVolume(disk, {
    number,
    type: `0x${osType.toString(16).padStart(2, '0')}`,
    typeName: MBR_TYPES[osType],
    start,
    size: sizeInLba * sectorSize,
    problem,
    unread: UNREAD_MBR_TYPES.get(osType),
    children,
    facts: {
      bootable: bootIndicator === ACTIVE,
      uuid: `${signature}-${number.toString(16).padStart(2, '0')}`,
    },
  });
}
