import { DiskError, type DiskModule, type Io, type Limits } from '@diskstack/core';
import { limitError } from '@diskstack/core/format';
import type { QcowImage } from '../image/image.ts';
import { readStructure } from '../image/structure.ts';
import { BITMAPS_EXTENSION, type Bitmap, decodeBitmap } from '../layout/bitmap.ts';
import { AUTOCLEAR } from '../layout/feature-bits.ts';
import { EXTENSION_TYPE, findExtension, type HeaderExtension } from '../layout/header-extension.ts';

/** The bitmap directory and its bitmaps. */
export interface BitmapDirectory {
  readonly at: number;
  readonly length: number;
  readonly bitmaps: readonly Bitmap[];
}

/** qcow2 spec, "autoclear_features", bit 0: when it is clear, all bitmaps may be out of date. */
export function bitmapsAreConsistent({ header }: QcowImage): boolean {
  return (header.autoclearFeatures & AUTOCLEAR.bitmaps) !== 0n;
}

/**
 * Reads the bitmaps of an image. When they cannot be read, returns none and the reason: the disk can be used without
 * them.
 */
export async function readBitmapsIfSound(
  image: QcowImage,
  io: Io,
): Promise<{ readonly bitmaps: readonly Bitmap[]; readonly problem?: DiskError }> {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined) return { bitmaps: [] };
  try {
    return await readBitmaps(image.file, extension, image.limits, io);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    return { bitmaps: [], problem: error };
  }
}

export async function readBitmaps(
  file: DiskModule,
  extension: HeaderExtension,
  limits: Limits,
  io: Io,
): Promise<BitmapDirectory> {
  const header = BITMAPS_EXTENSION.decode(extension.data, extension.at);
  const { nbBitmaps, bitmapDirectorySize: length, bitmapDirectoryOffset: at } = header;
  if (nbBitmaps > limits.maxBitmaps)
    throw limitError('maxBitmaps', limits, `${nbBitmaps} bitmaps`, extension.at);
  if (length > limits.maxSnapshotTableBytes) {
    const sizeAt = extension.at + BITMAPS_EXTENSION.at.bitmapDirectorySize;
    throw limitError('maxSnapshotTableBytes', limits, `a bitmap directory of ${length} bytes`, sizeAt);
  }
  const fieldAt = extension.at + BITMAPS_EXTENSION.at.bitmapDirectoryOffset;
  const directory = await readStructure(file, { what: 'a bitmap directory', at, length, fieldAt }, io);
  const bitmaps: Bitmap[] = [];
  for (let position = 0; bitmaps.length < nbBitmaps; ) {
    const { bitmap, next } = decodeBitmap(directory, position, at, limits);
    bitmaps.push(bitmap);
    position = next;
  }
  return { at, length, bitmaps };
}
