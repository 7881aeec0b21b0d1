import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import { numberOf } from '../metadata/config.ts';
import { areasOf } from '../metadata/group-model.ts';
import type { SegmentType } from '../segment-type.ts';
import { interleave, type Target } from '../targets/target.ts';

/** lvm2 `lib/striped/striped.c`: chunks on each area in turn. With one area it is called linear. */
export const striped: SegmentType = {
  names: ['striped', 'linear'],
  writable: true,
  async open({ fields }, size, context) {
    const areas = areasOf(fields, 'stripes');
    const count = numberOf(fields, 'stripe_count', areas.length);
    if (count === 0 || count !== areas.length)
      throw new DiskError(
        'ERR_CORRUPT',
        `the segment has ${areas.length} stripes, but stripe_count is ${count}`,
      );
    const chunk = numberOf(fields, 'stripe_size', 0) * SECTOR;
    if (count > 1 && (chunk === 0 || size % (count * chunk) !== 0)) {
      throw new DiskError(
        'ERR_CORRUPT',
        `the segment has ${size} bytes, which are not ${count} stripes of whole chunks of ${chunk} bytes`,
      );
    }
    const targets: Target[] = [];
    for (const area of areas) targets.push(await context.area(area, size / count));
    const [first] = targets;
    return count === 1 && first !== undefined ? first : interleave(targets, chunk, size);
  },
};
