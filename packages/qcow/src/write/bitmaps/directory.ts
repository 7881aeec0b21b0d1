import { bitmapsAreConsistent, readBitmaps } from '../../bitmaps/directory.ts';
import type { QcowImage } from '../../image/image.ts';
import { readStructure } from '../../image/structure.ts';
import { type Bitmap, bitmapFlags, decodeBitmap } from '../../layout/bitmap.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import type { ImageFile } from '../file/image-file.ts';

/** A bitmap of the directory, and the bytes of its entry: extra data that is not known stays in them. */
export interface DirectoryEntry {
  readonly bitmap: Bitmap;
  readonly bytes: Uint8Array;
  /** Byte of the entry in the image. */
  readonly at: number;
}

/** The directory as it is in the image. */
export interface StoredDirectory {
  /** `undefined` without bitmaps. */
  readonly place: { readonly at: number; readonly length: number } | undefined;
  readonly entries: readonly DirectoryEntry[];
}

/** Whether the image has bitmaps that a writer has to know about. */
export function hasBitmaps(image: QcowImage): boolean {
  return bitmapsAreConsistent(image) && findExtension(image.extensions, EXTENSION_TYPE.bitmaps) !== undefined;
}

/** The entries of the image. Where the autoclear bit is clear there are none: such bitmaps own nothing. */
export async function readDirectory(image: QcowImage): Promise<StoredDirectory> {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined || !bitmapsAreConsistent(image)) return { place: undefined, entries: [] };
  const { file, limits } = image;
  const { at, length, bitmaps } = await readBitmaps(file, extension, limits, {});
  const bytes = await readStructure(file, { what: 'a bitmap directory', at, length }, {});
  const entries: DirectoryEntry[] = [];
  for (let position = 0; entries.length < bitmaps.length; ) {
    const { bitmap, next } = decodeBitmap(bytes, position, at, limits);
    entries.push({ bitmap, bytes: bytes.slice(position, next), at: at + position });
    position = next;
  }
  return { place: { at, length }, entries };
}

/** qcow2 spec, "Bitmap directory entry", flag `in_use`: set while what the image says of a bitmap may be too little. */
export async function markInUse(
  file: ImageFile,
  { bytes, at }: DirectoryEntry,
  inUse: boolean,
): Promise<void> {
  const flags = bitmapFlags(bytes, 0, inUse);
  await file.writeMetadata('a bitmap', at + flags.at, flags.bytes);
}
