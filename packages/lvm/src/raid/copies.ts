import { DiskError } from '@diskstack/core';
import { inPieces, type Target } from '../targets/target.ts';
import type { RaidImage } from './raid-images.ts';

/** A run of bytes that is stored at the same offset of several images. */
interface Copies {
  /** The byte of the images. */
  readonly at: number;
  readonly length: number;
  /** The images with a copy, in the order of the copies. */
  readonly images: readonly (RaidImage | undefined)[];
}

/** A RAID set that stores every byte more than once. */
export interface CopySet {
  readonly images: readonly RaidImage[];
  readonly size: number;
  /** All copies are in sync up to this byte of the set. */
  readonly synced: number;
  readonly locate: (offset: number, length: number) => Copies;
}

/**
 * Reads each run from the first image on which it is current. From `synced` on, only the first copy is: the kernel has
 * not copied it over the others yet (Linux `drivers/md/raid1.c` and `raid10.c`, `choose_first` and `do_balance`).
 */
export function copies({ images, size, synced, locate }: CopySet): Target {
  return {
    size,
    translate: (offset, length, extents, io) =>
      inPieces(offset, length, extents, (position, left) => {
        const isSynced = position < synced;
        const {
          at,
          length: run,
          images: holders,
        } = locate(position, isSynced ? Math.min(left, synced - position) : left);
        const candidates = isSynced ? holders : firstCopy(holders);
        for (const image of candidates) {
          if (image?.target === undefined || image.upTo <= at) continue;
          return image.target.translate(at, Math.min(run, image.upTo - at), extents, io);
        }
        const why = images.flatMap(({ reason }) => reason ?? []).join('; ');
        const what = isSynced
          ? `all images with byte ${position} are missing`
          : `the copies are in sync up to byte ${synced} only, and the first copy of byte ${position} is missing`;
        throw new DiskError('ERR_NOT_FOUND', `${what}: ${why}`);
      }),
  };
}

/** The copy that the kernel copies over the others: that of the first image which is still part of the set. */
export function firstCopy<Image extends RaidImage | undefined>(images: readonly Image[]): readonly Image[] {
  const first = images.find((image) => image?.isOut !== true);
  return first === undefined ? [] : [first];
}
