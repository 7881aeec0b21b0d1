import type { QcowImage } from '../../image/image.ts';
import { HEADER_V3, type Header } from '../../layout/header.ts';
import type { ImageFile } from './image-file.ts';

/** Header fields to change. */
export type HeaderFieldValues = Partial<
  Pick<
    Header,
    | 'size'
    | 'l1Size'
    | 'l1TableOffset'
    | 'refcountTableOffset'
    | 'refcountTableClusters'
    | 'nbSnapshots'
    | 'snapshotsOffset'
    | 'incompatibleFeatures'
    | 'compatibleFeatures'
    | 'autoclearFeatures'
    | 'refcountOrder'
  >
>;

/** Width of each header field. Unchanged fields between two changed ones are written as well. */
const BYTES = {
  magic: 4,
  version: 4,
  backingFileOffset: 8,
  backingFileSize: 4,
  clusterBits: 4,
  size: 8,
  cryptMethod: 4,
  l1Size: 4,
  l1TableOffset: 8,
  refcountTableOffset: 8,
  refcountTableClusters: 4,
  nbSnapshots: 4,
  snapshotsOffset: 8,
  incompatibleFeatures: 8,
  compatibleFeatures: 8,
  autoclearFeatures: 8,
  refcountOrder: 4,
  headerLength: 4,
} as const satisfies Record<keyof typeof HEADER_V3.at, 4 | 8>;

/** Bytes of the header that every version 3 image has. All are in the first sector. */
const KNOWN_BYTES = HEADER_V3.size;

/**
 * The bytes that change these header fields together. They are in one sector, which a disk writes as a whole or not at
 * all. Other fields keep their values.
 */
function encodeHeaderFields(
  current: Header,
  fields: HeaderFieldValues,
): { readonly at: number; readonly bytes: Uint8Array } {
  const view = new DataView(new ArrayBuffer(KNOWN_BYTES));
  let from = KNOWN_BYTES;
  let to = 0;
  const names = Object.keys(BYTES) as (keyof typeof BYTES)[];
  for (const name of names) putField(view, name, { ...current, ...fields }[name]);
  for (const name of names) {
    if (!(name in fields)) continue;
    from = Math.min(from, HEADER_V3.at[name]);
    to = Math.max(to, HEADER_V3.at[name] + BYTES[name]);
  }
  return { at: from, bytes: new Uint8Array(view.buffer, from, Math.max(0, to - from)) };
}

function putField(view: DataView, name: keyof typeof BYTES, value: number | bigint): void {
  if (BYTES[name] === 4) view.setUint32(HEADER_V3.at[name], Number(value));
  else view.setBigUint64(HEADER_V3.at[name], BigInt(value));
}

/** Writes header fields, and returns the image with them. */
export async function writeHeaderFields(
  file: ImageFile,
  image: QcowImage,
  fields: HeaderFieldValues,
): Promise<QcowImage> {
  const { at, bytes } = encodeHeaderFields(image.header, fields);
  if (bytes.length > 0) await file.writeMetadata('the header', at, bytes);
  return { ...image, header: { ...image.header, ...fields } };
}
