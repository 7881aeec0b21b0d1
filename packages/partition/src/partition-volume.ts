import { borrow, DiskError, type DiskModule, type Json, SliceDisk, type Volume } from '@diskstack/core';

/** What a table says of one partition. */
export interface Partition {
  /** As Linux numbers it: the slot, from 1 on; logical partitions from 5 on. */
  readonly number: number;
  /** `'0x83'`, or a GUID. */
  readonly type: string;
  readonly typeName?: string | undefined;
  readonly name?: string | undefined;
  /** Byte of the disk; left out where it cannot be told. */
  readonly start?: number | undefined;
  /** Bytes. */
  readonly size: number;
  /** Why it cannot be opened. */
  readonly problem?: string | undefined;
  /** Why its content is not looked into. */
  readonly unread?: string | undefined;
  readonly facts?: { readonly [key: string]: Json } | undefined;
  /** The logical partitions of an extended one. */
  readonly children?: readonly Volume[] | undefined;
}

/** A partition as a volume: a run of the bytes of its disk. Writes go through to it. */
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

/** A partition lies on its disk, whole. */
function placeProblem(diskSize: number, start: number | undefined, size: number): string | undefined {
  if (start === undefined) return 'its place cannot be told';
  if (start + size <= diskSize) return undefined;
  return `ends at byte ${start + size}, the disk at ${diskSize}`;
}
