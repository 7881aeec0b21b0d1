import { DiskError } from '@diskstack/core';
import { inPieces, type Target } from '../targets/target.ts';
import type { RaidImage } from './raid-images.ts';

/** A run of bytes that stands at one place of several images. */
interface Copies {
  /** Byte of the images. */
  readonly at: number;
  readonly length: number;
  readonly images: readonly (RaidImage | undefined)[];
}

/** Bytes that are there more than once: each run is read from the first image on which it is right. */
export function copies(
  images: readonly RaidImage[],
  size: number,
  locate: (offset: number, length: number) => Copies,
): Target {
  return {
    size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (position, left) => {
        const { at, length: run, images: holders } = locate(position, left);
        for (const image of holders) {
          if (image?.target === undefined || image.upTo <= at) continue;
          return image.target.translate(at, Math.min(run, image.upTo - at), extents, io);
        }
        const why = images.flatMap(({ reason }) => reason ?? []).join('; ');
        throw new DiskError('ERR_NOT_FOUND', `no image that is left has byte ${position}: ${why}`);
      }),
  };
}
