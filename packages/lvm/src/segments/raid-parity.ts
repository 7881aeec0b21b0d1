import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import { numberOf } from '../metadata/config.ts';
import type { SegmentModel } from '../metadata/group-model.ts';
import { openRaidImages, readableBytes } from '../raid/raid-images.ts';
import { RAID5_LAYOUTS, RAID6_LAYOUTS, type RaidRow } from '../raid/raid-layout.ts';
import { type ParitySet, rebuiltImage } from '../raid/rebuilt-image.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { missing } from '../targets/attempt.ts';
import { concatenate, inPieces, slice, type Target } from '../targets/target.ts';

type Layouts = ReadonlyMap<string, (row: number, images: number) => RaidRow>;

/** Linux `drivers/md/raid5.c`, levels 4 and 5: one image of each row has the parity of the others. */
export const raid5: SegmentType = paritySegments(RAID5_LAYOUTS, 1);
/** The same file, level 6: two images of each row have parity. */
export const raid6: SegmentType = paritySegments(RAID6_LAYOUTS, 2);

function paritySegments(layouts: Layouts, parities: number): SegmentType {
  return {
    names: [...layouts.keys()],
    async open(segment, size, context) {
      const set = await openSet(segment, size, context, layouts, parities);
      const { images } = set;
      const lost = images.filter(({ target, upTo }) => target === undefined || upTo === 0);
      if (lost.length > parities) {
        throw missing(
          `${lost.length} of ${images.length} images are missing, and parity replaces at most ${parities}`,
          lost.flatMap(({ reason }) => reason ?? []),
        );
      }
      const readable = set.imageSize * (images.length - parities);
      return paritySet(set, readable, parities, await readableImages(set, context));
    },
  };
}

async function openSet(
  { type, fields }: SegmentModel,
  size: number,
  context: SegmentContext,
  layouts: Layouts,
  parities: number,
): Promise<ParitySet> {
  const { images, synced, mayBeBehind } = await openRaidImages(fields, 'fixed', context);
  const layout = layouts.get(type);
  const chunk = numberOf(fields, 'stripe_size', 0) * SECTOR;
  const perRow = images.length - parities;
  const readable = readableBytes(fields, size, perRow, context);
  if (layout === undefined || chunk === 0 || perRow < 1 || readable % (perRow * chunk) !== 0) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the RAID set has ${readable} bytes, which are not whole chunks of ${chunk} bytes on ${perRow} images`,
    );
  }
  const imageSize = readable / perRow;
  const short = images.find(({ target }) => target !== undefined && target.size < imageSize);
  if (short !== undefined)
    throw new DiskError(
      'ERR_CORRUPT',
      `an image of the RAID set has ${short.target?.size} bytes; ${imageSize} are needed`,
    );
  const rows = new Map<number, RaidRow>();
  const period = images.length * (images.length - 1); // every layout repeats after this many rows
  const row = (number: number): RaidRow => {
    const inPeriod = number % period;
    let known = rows.get(inPeriod);
    if (known === undefined) {
      known = layout(inPeriod, images.length);
      rows.set(inPeriod, known);
    }
    return known;
  };
  return { images, chunk, imageSize, synced, mayBeBehind, row };
}

/** All images, complete: missing ones, and the rest of incomplete ones, are computed from the others. */
async function readableImages(set: ParitySet, context: SegmentContext): Promise<readonly Target[]> {
  const images: Target[] = [];
  for (const [position, { target, upTo }] of set.images.entries()) {
    if (target !== undefined && upTo >= set.imageSize) {
      images.push(target);
      continue;
    }
    const computed = rebuiltImage(set, position, context.reader);
    const rebuilt = await context.computed(computed, `image ${position}, rebuilt`);
    const isLost = target === undefined || upTo === 0;
    images.push(
      isLost ? rebuilt : concatenate([slice(target, 0, upTo), slice(rebuilt, upTo, set.imageSize - upTo)]),
    );
  }
  return images;
}

function paritySet(set: ParitySet, size: number, parities: number, images: readonly Target[]): Target {
  const { chunk } = set;
  const perRow = images.length - parities;
  return {
    size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (at, left) => {
        const inChunk = at % chunk;
        const number = (at - inChunk) / chunk;
        const row = Math.floor(number / perRow);
        const image = images[set.row(row).data(number % perRow)] as Target;
        return image.translate(row * chunk + inChunk, Math.min(left, chunk - inChunk), extents, io);
      }),
  };
}
