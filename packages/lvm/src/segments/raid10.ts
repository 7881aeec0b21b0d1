import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import { numberOf } from '../metadata/config.ts';
import { copies } from '../raid/copies.ts';
import { openRaidImages, type RaidImage, readableBytes } from '../raid/raid-images.ts';
import type { SegmentType } from '../segment-type.ts';
import { missing } from '../targets/attempt.ts';

/**
 * Linux `drivers/md/raid10.c`, the "near" layout, the only one that lvm2 creates: every chunk is repeated `data_copies`
 * times, and the resulting sequence of chunks is on each image in turn.
 */
export const raid10: SegmentType = {
  names: ['raid10', 'raid10_near'],
  async open({ fields }, segmentSize, context) {
    const { images, synced } = await openRaidImages(fields, 'any', context);
    const count = images.length;
    const size = readableBytes(fields, segmentSize, count, context);
    const chunk = numberOf(fields, 'stripe_size', 0) * SECTOR;
    const near = Math.max(2, numberOf(fields, 'data_copies', 2));
    if (chunk === 0 || near > count) {
      const reason = `the RAID 10 set has ${count} images, but ${near} copies of chunks of ${chunk} bytes`;
      throw new DiskError('ERR_CORRUPT', reason);
    }
    const rows = Math.ceil((Math.ceil(size / chunk) * near) / count);
    const shortest = Math.min(...images.map(({ target }) => target?.size ?? Number.POSITIVE_INFINITY));
    if (rows * chunk > shortest)
      throw new DiskError(
        'ERR_CORRUPT',
        `an image of the RAID 10 set has ${shortest} bytes; ${rows * chunk} are needed`,
      );
    const lost = (first: number): boolean =>
      Array.from({ length: near }, (_, copy) => images[(first + copy) % count]).every(
        (image) => !image?.target,
      );
    for (let first = 0; first < count; first++) {
      if (!lost((first * near) % count)) continue;
      throw missing(
        'all images with a copy of the same chunk are missing',
        images.flatMap(({ reason }) => reason ?? []),
      );
    }
    const locate = (offset: number, length: number) => {
      const inChunk = offset % chunk;
      const first = ((offset - inChunk) / chunk) * near;
      const device = first % count;
      const row = Math.floor(first / count);
      // Copies that do not fit into this row continue in the next one. The first copy is always in this row, so the next
      // row is used only if all copies in this one are lost.
      const inRow = Math.min(near, count - device);
      const holders = Array.from({ length: inRow }, (_, copy) => images[device + copy]);
      const has = (image: RaidImage | undefined): boolean =>
        image?.target !== undefined && image.upTo > row * chunk + inChunk;
      const isWhole = inRow === near || offset >= synced || holders.some(has);
      return {
        at: (isWhole ? row : row + 1) * chunk + inChunk,
        length: Math.min(length, chunk - inChunk),
        images: isWhole ? holders : images.slice(0, near - inRow),
      };
    };
    return copies({ images, size, synced, locate });
  },
};
