import { DiskError } from '@diskstack/core';
import { inPieces, type Target } from '../targets/target.ts';
import type { RaidImage } from './raid-images.ts';

/** A run of bytes that is stored at one place of several images. */
interface Copies {
  /** Byte of the images. */
  readonly at: number;
  readonly length: number;
  /** Each has a copy, the first one first. */
  readonly images: readonly (RaidImage | undefined)[];
}

/** Bytes that are stored more than once. */
export interface CopySet {
  readonly images: readonly RaidImage[];
  readonly size: number;
  /** Bytes of the set up to which all copies are equal. */
  readonly synced: number;
  readonly locate: (offset: number, length: number) => Copies;
}

/**
 * Each run is read from the first image on which it is right. From `synced` on that is the first copy alone: the kernel has
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
          ? `no image that is left has byte ${position}`
          : `the copies are in sync up to byte ${synced} only, and the first copy of byte ${position} is gone`;
        throw new DiskError('ERR_NOT_FOUND', `${what}: ${why}`);
      }),
  };
}

/** The copy that the others are made from: that of the first image which is part of the set. */
export function firstCopy<Image extends RaidImage | undefined>(images: readonly Image[]): readonly Image[] {
  const first = images.find((image) => image?.isOut !== true);
  return first === undefined ? [] : [first];
}
