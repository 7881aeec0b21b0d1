import { borrow, DiskError, type DiskModule, SliceDisk } from '@diskstack/core';
import type { Volume } from '@diskstack/core/volumes';
import type { Entry } from './entries.ts';

/** The volume of an entry: a run of bytes of its disk. `number` is its number in layer addresses, from 1. */
export function entryVolume(disk: DiskModule, number: number, { start, size }: Entry): Volume {
  const layer = `p${number}`;
  const end = start + size;
  const reason = end > disk.size() ? `it ends at byte ${end}, the disk at ${disk.size()}` : undefined;
  return {
    kind: 'partition',
    layer,
    type: 'the-name',
    start,
    size,
    status: reason === undefined ? 'ok' : 'error',
    reason,
    async open(io) {
      if (reason !== undefined)
        throw new DiskError('ERR_CORRUPT', `${layer}: ${reason}`, { format: 'the-name' });
      const slice = new SliceDisk(borrow(disk), start, size);
      await slice.init(io);
      return slice;
    },
  };
}
