import { type BitmapInfo, DiskError, quote } from '@diskstack/core';
import { bitmapExtents } from './bitmap-extents.ts';
import { checkImage } from './check/check.ts';
import type { QcowImage } from './image.ts';
import type { Bitmap } from './layout/bitmap.ts';
import { AUTOCLEAR } from './layout/feature-bits.ts';
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

/** qcow2 spec, "autoclear_features", bit 0: unset, and all bitmaps may be out of date. */
export function bitmapsAreConsistent({ header }: QcowImage): boolean {
  return (header.autoclearFeatures & AUTOCLEAR.bitmaps) !== 0n;
}

function describeBitmap(image: QcowImage, { name, granularity, inUse, auto, usable }: Bitmap): BitmapInfo {
  return {
    name,
    granularity,
    flags: [...(inUse ? (['in-use'] as const) : []), ...(auto ? (['auto'] as const) : [])],
    consistent: bitmapsAreConsistent(image) && !inUse && usable,
  };
}
