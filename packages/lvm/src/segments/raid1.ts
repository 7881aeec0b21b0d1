import { copies, firstCopy } from '../raid/copies.ts';
import { openRaidImages } from '../raid/raid-images.ts';
import type { SegmentType } from '../segment-type.ts';
import { missing } from '../targets/attempt.ts';
import { slice } from '../targets/target.ts';

/** Linux `drivers/md/raid1.c`: the same bytes on every image. */
export const raid1: SegmentType = {
  names: ['raid1'],
  async open({ fields }, size, context) {
    const { images, synced } = await openRaidImages(fields, 'any', context);
    const reasons = images.flatMap(({ reason }) => reason ?? []);
    if (images.every(({ target, upTo }) => target === undefined || upTo === 0))
      throw missing('all images of the RAID 1 set are missing', reasons);
    const ordered = [...images.filter(({ isLate }) => !isLate), ...images.filter(({ isLate }) => isLate)];
    const current = synced >= size ? ordered : firstCopy(ordered);
    const whole = current.find(({ target, upTo }) => target !== undefined && upTo >= size);
    if (whole?.target !== undefined) return slice(whole.target, 0, size);
    return copies({ images, size, synced, locate: (at, left) => ({ at, length: left, images: ordered }) });
  },
};
