import { type BitmapExtent, type BitmapInfo, DiskError, type Io, quote } from '@diskstack/core';
import { bitmapExtents } from '../bitmaps/bitmap-extents.ts';
import { bitmapsAreConsistent } from '../bitmaps/directory.ts';
import type { DirtyBits } from '../bitmaps/dirty-bits.ts';
import type { QcowImage } from '../image/image.ts';
import type { Bitmap } from '../layout/bitmap.ts';
import type { QcowMetadata } from '../tables/qcow-mapping.ts';

/** The current facts about an image. A writer changes them. */
export interface MetadataFacts {
  readonly image: QcowImage;
  readonly bitmaps: readonly Bitmap[];
  /** Why the bitmaps cannot be read. */
  readonly problem: DiskError | undefined;
  /** Changes in memory that belong to a bitmap beside its stored bits. */
  readonly changesOf: (bitmap: Bitmap) => DirtyBits | undefined;
  /** Writes metadata that is held in memory. */
  readonly flush: (io: Io) => Promise<void>;
}

/** What an image has beside the guest disk, as abilities of the disk. */
export function metadataOf(facts: () => MetadataFacts): QcowMetadata {
  const find = (name: string): Bitmap => {
    const { bitmaps, problem } = facts();
    const bitmap = bitmaps.find((candidate) => candidate.name === name);
    if (bitmap !== undefined) return bitmap;
    const why = problem === undefined ? '' : ' that can be read'; // the cause has the details
    throw new DiskError('ERR_NOT_FOUND', `the image has no bitmap ${quote(name)}${why}`, { cause: problem });
  };
  /** Looks the bitmap up when the iteration begins: a change may have moved it since the call. */
  async function* extentsOf(name: string, io: Io): AsyncGenerator<BitmapExtent> {
    const bitmap = find(name);
    const { image, changesOf } = facts();
    const { file, header, geometry, limits } = image;
    const { clusterSize } = geometry;
    const reading = { file, clusterSize, size: header.size, limits, changes: changesOf(bitmap) };
    yield* bitmapExtents(reading, bitmap, io);
  }
  return {
    bitmaps: () => {
      const { image, bitmaps } = facts();
      return bitmaps.map((bitmap) => describeBitmap(image, bitmap));
    },
    bitmapExtents: (name, io) => {
      const bitmap = find(name);
      if (io.asStored !== true) checkConsistent(facts().image, bitmap);
      return extentsOf(name, io);
    },
    check: async (io) => {
      const { image, flush } = facts();
      await flush(io);
      return (await import('../check/check.ts')).checkImage(image, io);
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

/** Refuses an inconsistent bitmap: bytes that it calls clean may have changed. */
function checkConsistent(image: QcowImage, { name, inUse }: Bitmap): void {
  const why = inUse
    ? 'it was not saved when its writer ended (it is in use)'
    : 'the image was written by a program that does not know bitmaps';
  if (!inUse && bitmapsAreConsistent(image)) return;
  throw new DiskError(
    'ERR_CORRUPT',
    `the bitmap ${quote(name)} is inconsistent: ${why}, and may call bytes clean that have changed; remove it, and make a full backup`,
  );
}
