import { DiskError } from '@diskstack/core';
import type { SegmentType } from '../segment-type.ts';
import { zeroes } from '../targets/target.ts';

/** lvm2 `lib/zero`: reads as zeroes. */
export const zero: SegmentType = { names: ['zero'], open: (_segment, size) => zeroes(size) };

/** lvm2 `lib/error`: replaces a segment whose data is lost. */
export const error: SegmentType = {
  names: ['error', 'free'],
  open() {
    throw new DiskError('ERR_IO', 'the volume has a segment of type error: lvm2 has given up its data');
  },
};

/** lvm2 `lib/vdo`: deduplicated and compressed by a kernel module with its own on-disk format. */
export const vdo: SegmentType = {
  names: ['vdo', 'vdo-pool'],
  open() {
    throw new DiskError(
      'ERR_UNSUPPORTED',
      'VDO volumes are not supported: the kernel deduplicates and compresses their data',
    );
  },
};

/** Pools: they hold the data of other volumes. */
export const pools: SegmentType = {
  names: ['thin-pool', 'cache-pool'],
  open({ type }) {
    throw new DiskError('ERR_UNSUPPORTED', `a ${type} cannot be read itself; read the volumes in it`);
  },
};
