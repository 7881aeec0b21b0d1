import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import type { QcowImage } from '../../image/image.ts';
import { readPart } from '../../image/structure.ts';
import { encodeHeader, HEADER_V2, type Header } from '../../layout/header.ts';
import { encodeExtensions, type NewExtension } from '../../layout/header-extension.ts';
import type { ImageState } from './image-state.ts';

/** What follows the header in the first cluster. */
export interface Head {
  readonly extensions: readonly NewExtension[];
  /** The backing file name; empty for none. */
  readonly name: Uint8Array;
}

/**
 * Rewrites the first cluster, and reads the header again. The first sector is written last: it makes the rest valid.
 *
 * @param header replaces the stored header. Default: the stored header stays
 */
export async function writeHead(state: ImageState, head: Head, header?: Header): Promise<void> {
  const { image, file } = state;
  const bytes = await encodeHead(image, head, header);
  await file.barrier();
  if (bytes.length > SECTOR) {
    await file.writeMetadata('the header', SECTOR, bytes.subarray(SECTOR));
    await file.barrier();
  }
  await file.writeMetadata('the header', 0, bytes.subarray(0, SECTOR));
  await file.barrier();
  await state.readHeader();
}

/** The first cluster, up to the end of the longer one of the old and the new content. */
async function encodeHead(
  image: QcowImage,
  { extensions, name }: Head,
  changed: Header | undefined,
): Promise<Uint8Array> {
  const { file, geometry } = image;
  const header = changed ?? image.header;
  const area = encodeExtensions(extensions);
  const nameAt = header.headerLength + area.length;
  const end = nameAt + name.length;
  if (end > geometry.clusterSize) {
    throw new DiskError(
      'ERR_NO_SPACE',
      `the header would have ${end} bytes, the first cluster has ${geometry.clusterSize}`,
    );
  }
  const oldEnd =
    image.header.backingFileOffset === 0
      ? endOf(image)
      : image.header.backingFileOffset + image.header.backingFileSize;
  const head = new Uint8Array(Math.min(geometry.clusterSize, Math.max(end, oldEnd)));
  const start =
    changed === undefined ? await readPart(file, 0, header.headerLength, {}) : encodeHeader(changed);
  head.set(start.subarray(0, head.length));
  head.set(area, header.headerLength);
  head.set(name, nameAt);
  const view = new DataView(head.buffer);
  view.setBigUint64(HEADER_V2.at.backingFileOffset, BigInt(name.length === 0 ? 0 : nameAt));
  view.setUint32(HEADER_V2.at.backingFileSize, name.length);
  return head;
}

/** The byte after the last extension. */
function endOf({ extensions, header }: QcowImage): number {
  const last = extensions.at(-1);
  return last === undefined ? header.headerLength : last.at + last.data.length;
}
