import { type BitmapInfo, DiskError, quote } from '@diskstack/core';
import { bitmapExtents } from './bitmap-extents.ts';
import { bitmapsAreConsistent } from './bitmaps.ts';
import { checkImage } from './check/check.ts';
import type { QcowImage } from './image.ts';
import type { Bitmap } from './layout/bitmap.ts';
import type { QcowMetadata } from './qcow-mapping.ts';

/** What an image has beside its disk, as abilities of the disk. */
export function metadataOf(image: QcowImage, bitmaps: readonly Bitmap[]): QcowMetadata {
  const { file, header, geometry, limits } = image;
  return {
    bitmaps: bitmaps.map((bitmap) => describeBitmap(image, bitmap)),
    bitmapExtents: (name, io) => {
      const bitmap = bitmaps.find((candidate) => candidate.name === name);
      if (bitmap === undefined)
        throw new DiskError('ERR_NOT_FOUND', `the image has no bitmap ${quote(name)}`);
      return bitmapExtents(
        { file, clusterSize: geometry.clusterSize, size: header.size, limits },
        bitmap,
        io,
      );
    },
    check: (io) => checkImage(image, io),
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
