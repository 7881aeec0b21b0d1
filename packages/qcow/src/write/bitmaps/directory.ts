import { bitmapsAreConsistent, readBitmaps } from '../../bitmaps/directory.ts';
import type { QcowImage } from '../../image/image.ts';
import { readStructure } from '../../image/structure.ts';
import { type Bitmap, bitmapFlags, decodeBitmap } from '../../layout/bitmap.ts';
import { EXTENSION_TYPE, findExtension } from '../../layout/header-extension.ts';
import type { ImageFile } from '../file/image-file.ts';

/** A bitmap and the bytes of its directory entry, which keep unknown extra data. */
export interface DirectoryEntry {
  readonly bitmap: Bitmap;
  readonly bytes: Uint8Array;
  /** Byte of the entry in the image. */
  readonly at: number;
}

/** The stored bitmap directory. */
export interface StoredDirectory {
  /** `undefined` without bitmaps. */
  readonly place: { readonly at: number; readonly length: number } | undefined;
  readonly entries: readonly DirectoryEntry[];
}

/** Whether the image has consistent bitmaps, which a writer must keep up to date. */
export function hasBitmaps(image: QcowImage): boolean {
  return bitmapsAreConsistent(image) && findExtension(image.extensions, EXTENSION_TYPE.bitmaps) !== undefined;
}

/** Reads the entries. None when the autoclear bit is clear: such bitmaps own no clusters. */
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

/** qcow2 spec, "Bitmap directory entry", flag `in_use`: set while the stored bitmap may lack changes. */
export async function markInUse(
  file: ImageFile,
  { bytes, at }: DirectoryEntry,
  inUse: boolean,
): Promise<void> {
  const flags = bitmapFlags(bytes, 0, inUse);
  await file.writeMetadata('a bitmap', at + flags.at, flags.bytes);
}
