import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import { numberOf } from '../metadata/config.ts';
import { openPlainImages } from '../raid/raid-images.ts';
import type { SegmentType } from '../segment-type.ts';
import { missing } from '../targets/attempt.ts';
import { interleave } from '../targets/target.ts';

/** Linux `drivers/md/raid0.c`: chunks on each image in turn. All images are needed. */
export const raid0: SegmentType = {
  names: ['raid0', 'raid0_meta'],
  async open({ fields }, size, context) {
    const images = await openPlainImages(fields, context);
    const chunk = numberOf(fields, 'stripe_size', 0) * SECTOR;
    const reasons = images.filter((image) => typeof image === 'string');
    if (reasons.length > 0) throw missing('a RAID 0 set needs all of its images', reasons);
    const targets = images.filter((image) => typeof image !== 'string');
    const [only] = targets;
    if (only !== undefined && targets.length === 1) return only;
    if (chunk === 0 || size % (chunk * targets.length) !== 0)
      throw new DiskError(
        'ERR_CORRUPT',
        `the RAID set has ${size} bytes, which are not whole chunks of ${chunk} bytes on ${targets.length} images`,
      );
    return interleave(targets, chunk, size);
  },
};
