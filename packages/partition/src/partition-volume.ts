import { borrow, DiskError, type DiskModule, type Json, SliceDisk } from '@diskstack/core';
import type { Volume } from '@diskstack/core/volumes';

/** A partition, as its table describes it. */
export interface Partition {
  /** The number that Linux gives it: the slot of the table, from 1; logical partitions of an MBR from 5. */
  readonly number: number;
  /** `'0x83'`, or a GUID. */
  readonly type: string;
  readonly typeName?: string | undefined;
  readonly name?: string | undefined;
  /** The byte of the disk at which it starts; `undefined` if that is past 2^53 - 1. */
  readonly start?: number | undefined;
  /** Size in bytes. */
  readonly size: number;
  /** The reason why it cannot be opened. */
  readonly problem?: string | undefined;
  /** The reason why its content is not supported. */
  readonly unread?: string | undefined;
  readonly facts?: { readonly [key: string]: Json } | undefined;
  /** The logical partitions of an extended one. */
  readonly children?: readonly Volume[] | undefined;
}

/** The volume for a partition: a run of bytes of its disk, which can be read and written. */
export function partitionVolume(disk: DiskModule, partition: Partition): Volume {
  const { number, type, typeName, name, start, size, unread, facts, children } = partition;
  const layer = `p${number}`;
  const problem = partition.problem ?? placeProblem(disk.size(), start, size);
  return {
    kind: 'partition',
    layer,
    type,
    name,
    start,
    size,
    status: problem !== undefined ? 'error' : unread !== undefined ? 'unsupported' : 'ok',
    reason: problem ?? unread,
    facts: { number, ...(typeName !== undefined && { typeName }), ...facts },
    children,
    async open(io) {
      if (problem !== undefined || start === undefined)
        throw new DiskError('ERR_CORRUPT', `${layer}: ${problem}`, { format: 'partition' });
      const slice = new SliceDisk(borrow(disk), start, size);
      await slice.init(io);
      return slice;
    },
  };
}

/** What is wrong with a partition that does not lie on its disk completely. */
function placeProblem(diskSize: number, start: number | undefined, size: number): string | undefined {
  if (start === undefined) return 'the partition starts past byte 2^53 - 1';
  if (start + size <= diskSize) return undefined;
  return `the partition ends at byte ${start + size}, but the disk ends at ${diskSize}`;
}
