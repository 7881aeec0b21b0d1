import { type BitmapInfo, DiskError, type Io, quote } from '@diskstack/core';
import { bitmapExtents } from './bitmap-extents.ts';
import { bitmapsAreConsistent } from './bitmaps.ts';
import type { QcowImage } from './image.ts';
import type { Bitmap } from './layout/bitmap.ts';
import type { QcowMetadata } from './qcow-mapping.ts';

/** What is known of an image now: a writer changes it. */
export interface MetadataFacts {
  readonly image: QcowImage;
  readonly bitmaps: readonly Bitmap[];
  /** Brings what is held in memory into the image. */
  readonly flush: (io: Io) => Promise<void>;
}

/** What an image has beside its disk, as abilities of the disk. */
export function metadataOf(facts: () => MetadataFacts): QcowMetadata {
  return {
    bitmaps: () => {
      const { image, bitmaps } = facts();
      return bitmaps.map((bitmap) => describeBitmap(image, bitmap));
    },
    bitmapExtents: (name, io) => {
      const { image, bitmaps } = facts();
      const { file, header, geometry, limits } = image;
      const bitmap = bitmaps.find((candidate) => candidate.name === name);
      if (bitmap === undefined)
        throw new DiskError('ERR_NOT_FOUND', `the image has no bitmap ${quote(name)}`);
      return bitmapExtents(
        { file, clusterSize: geometry.clusterSize, size: header.size, limits },
        bitmap,
        io,
      );
    },
    check: async (io) => {
      const { image, flush } = facts();
      await flush(io);
      return (await import('./check/check.ts')).checkImage(image, io);
    },
  };
}

function describeBitmap(image: QcowImage, { name, granularity, inUse, auto, usable }: Bitmap): BitmapInfo {
  return {
    name,
    granularity,
    flags: [...(inUse ? (['in-use'] as const) : []), ...(auto ? (['auto'] as const) : [])],
    consistent: bitmapsAreConsistent(image) && !inUse && usable,
  };
}
