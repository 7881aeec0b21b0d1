import type { Io } from '@diskstack/core';
import type { QcowImage } from '../image.ts';
import { BITMAPS_EXTENSION, bitmapFlags, decodeBitmap } from '../layout/bitmap.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import { readStructure } from '../structure.ts';
import type { ImageFile } from './image-file.ts';

/**
 * qcow2 spec, "Bitmap directory entry", flag `in_use`: set for every bitmap that a writer would have to keep up to date,
 * so that nobody believes it afterwards. Bitmaps that are not `auto` stay as they are, and right.
 */
export async function markBitmapsInUse(image: QcowImage, file: ImageFile, io: Io): Promise<void> {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined) return;
  const {
    nbBitmaps,
    bitmapDirectorySize: length,
    bitmapDirectoryOffset: at,
  } = BITMAPS_EXTENSION.decode(extension.data, extension.at);
  const directory = await readStructure(image.file, { what: 'a bitmap directory', at, length }, io);
  for (let count = 0, position = 0; count < nbBitmaps; count++) {
    const { bitmap, next } = decodeBitmap(directory, position, at, image.limits);
    if (bitmap.auto && !bitmap.inUse) {
      const flags = bitmapFlags(directory, position, true);
      await file.writeMetadata('a bitmap', at + position + flags.at, flags.bytes);
    }
    position = next;
  }
}
