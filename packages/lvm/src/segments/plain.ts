import { DiskError } from '@diskstack/core';
import type { SegmentType } from '../segment-type.ts';
import { zeroes } from '../targets/target.ts';

/** lvm2 `lib/zero`: zeroes. */
export const zero: SegmentType = { names: ['zero'], open: (_segment, size) => zeroes(size) };

/** lvm2 `lib/error`: stands where the bytes were lost. */
export const error: SegmentType = {
  names: ['error', 'free'],
  open() {
    throw new DiskError('ERR_IO', 'a segment of type error: its bytes have been given up');
  },
};

/** lvm2 `lib/vdo`: deduplicated and compressed by a kernel module, whose on-disk format is its own. */
export const vdo: SegmentType = {
  names: ['vdo', 'vdo-pool'],
  open() {
    throw new DiskError(
      'ERR_UNSUPPORTED',
      'VDO volumes are not read: what they hold is deduplicated and compressed by the kernel',
    );
  },
};

/** Volumes that others are made of. */
export const pools: SegmentType = {
  names: ['thin-pool', 'cache-pool'],
  open({ type }) {
    throw new DiskError('ERR_UNSUPPORTED', `a ${type} has no bytes of its own`);
  },
};
