import { DiskError } from '@diskstack/core';
import { struct, u32 } from '@diskstack/core/format';

/** qcow2 spec, "Header extensions": the fields before the data of each extension. */
export const EXTENSION = struct('big', { type: u32, length: u32 });

/** qcow2 spec, "Header extensions": the known types. */
export const EXTENSION_TYPE = {
  end: 0x00000000,
  backingFormat: 0xe2792aca,
  featureNameTable: 0x6803f857,
  bitmaps: 0x23852875,
  encryptionHeader: 0x0537be77,
  externalDataFile: 0x44415441,
} as const;

export interface HeaderExtension {
  /** One of `EXTENSION_TYPE`, or an unknown type: unknown extensions are ignored and kept. */
  readonly type: number;
  /** Byte of its data in the image. */
  readonly at: number;
  readonly data: Uint8Array;
}

/**
 * Decodes the extensions between the header and the backing file name, or the end of the first cluster. The end marker
 * may be absent.
 *
 * @param area the bytes of this area
 * @param areaAt its first byte in the image
 */
export function decodeExtensions(area: Uint8Array, areaAt: number): readonly HeaderExtension[] {
  const extensions: HeaderExtension[] = [];
  const view = new DataView(area.buffer, area.byteOffset, area.length); // one view for all extensions: there can be 250,000
  for (let position = 0; position + EXTENSION.size <= area.length; ) {
    const type = view.getUint32(position + EXTENSION.at.type);
    const length = view.getUint32(position + EXTENSION.at.length);
    if (type === EXTENSION_TYPE.end) break;
    const start = position + EXTENSION.size;
    if (length > area.length - start) {
      throw new DiskError(
        'ERR_CORRUPT',
        `a header extension of ${length} bytes, ${area.length - start} are left of the header's area`,
        { offset: areaAt + position },
      );
    }
    extensions.push({ type, at: areaAt + start, data: area.subarray(start, start + length) });
    position = start + Math.ceil(length / 8) * 8;
  }
  return extensions;
}

/** Whether the first bytes of the area contain the end marker, so that the rest need not be read. */
export function hasEndMarker(start: Uint8Array): boolean {
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  for (let position = 0; position + EXTENSION.size <= start.length; ) {
    if (view.getUint32(position + EXTENSION.at.type) === EXTENSION_TYPE.end) return true;
    const length = view.getUint32(position + EXTENSION.at.length);
    position += EXTENSION.size + Math.ceil(length / 8) * 8;
  }
  return false;
}

/** An extension to be written. */
export type NewExtension = Pick<HeaderExtension, 'type' | 'data'>;

/** Encodes the area: each extension padded to 8 bytes, then the end marker. */
export function encodeExtensions(extensions: readonly NewExtension[]): Uint8Array<ArrayBuffer> {
  const padded = extensions.map(({ data }) => EXTENSION.size + Math.ceil(data.length / 8) * 8);
  const area = new Uint8Array(padded.reduce((sum, length) => sum + length, EXTENSION.size));
  let position = 0;
  for (const [index, { type, data }] of extensions.entries()) {
    area.set(EXTENSION.encode({ type, length: data.length }), position);
    area.set(data, position + EXTENSION.size);
    position += padded[index] ?? 0;
  }
  area.set(EXTENSION.encode({ type: EXTENSION_TYPE.end, length: 0 }), position);
  return area;
}

export function findExtension(
  extensions: readonly HeaderExtension[],
  type: number,
): HeaderExtension | undefined {
  return extensions.findLast((extension) => extension.type === type);
}
