import { slice } from '../targets/target.ts';
import { missing } from './attempt.ts';
import { copies } from './copies.ts';
import { openRaidImages } from './raid-images.ts';
import type { SegmentType } from './segment-type.ts';

/** Linux `drivers/md/raid1.c`: the same bytes on every image. */
export const raid1: SegmentType = {
  names: ['raid1'],
  async open({ fields }, size, context) {
    const { images } = await openRaidImages(fields, 'any', context);
    const whole = images.find(({ target, upTo }) => target !== undefined && upTo >= size);
    if (whole?.target !== undefined) return slice(whole.target, 0, size);
    const reasons = images.flatMap(({ reason }) => reason ?? []);
    if (images.every(({ target, upTo }) => target === undefined || upTo === 0))
      throw missing('no image of the RAID 1 set is left', reasons);
    return copies(images, size, (at, left) => ({ at, length: left, images }));
  },
};
