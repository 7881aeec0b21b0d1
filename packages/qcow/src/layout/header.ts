import { DiskError } from '@diskstack/core';
import { bits64, offset64, struct, u8, u16, u32 } from '@diskstack/core/format';

/** "QFI\xfb" as a number. */
export const MAGIC_NUMBER = 0x514649fb;

/** The first fields of every version. */
export const HEADER_START = struct('big', { magic: u32, version: u32 });

/** Version 1: the header of qemu's block/qcow.c. The two bytes before `cryptMethod` are padding. */
export const HEADER_V1 = struct('big', {
  magic: u32,
  version: u32,
  backingFileOffset: offset64,
  backingFileSize: u32,
  mtime: u32,
  size: offset64,
  clusterBits: u8,
  l2Bits: u8,
  padding: u16,
  cryptMethod: u32,
  l1TableOffset: offset64,
});

const V2_FIELDS = {
  magic: u32,
  version: u32,
  backingFileOffset: offset64,
  backingFileSize: u32,
  clusterBits: u32,
  size: offset64,
  cryptMethod: u32,
  l1Size: u32,
  l1TableOffset: offset64,
  refcountTableOffset: offset64,
  refcountTableClusters: u32,
  nbSnapshots: u32,
  snapshotsOffset: offset64,
} as const;

/** qcow2 spec, "Header", bytes 0 to 71: all of version 2. */
export const HEADER_V2 = struct('big', V2_FIELDS);

/** qcow2 spec, "Header", bytes 0 to 103: the part that every version 3 has. */
export const HEADER_V3 = struct('big', {
  ...V2_FIELDS,
  incompatibleFeatures: bits64,
  compatibleFeatures: bits64,
  autoclearFeatures: bits64,
  refcountOrder: u32,
  headerLength: u32,
});

/** qcow2 spec, "Additional fields": where `compression_type` is, in a header that is long enough to have it. */
export const COMPRESSION_TYPE_AT = 104;

export type HeaderV1 = ReturnType<typeof HEADER_V1.decode>;
/** A header of version 2 or 3. Fields that version 2 lacks have the default values of the specification. */
export type Header = ReturnType<typeof HEADER_V3.decode> & { readonly compressionType: number };

/** Bytes of a version 3 header with `compression_type`, as current writers make it. */
export const HEADER_V3_BYTES = 112;

/** Encodes a header into `headerLength` bytes. Unknown fields are zero. */
export function encodeHeader(header: Header): Uint8Array<ArrayBuffer> {
  if (header.version < 3) return HEADER_V2.encode(header);
  const bytes = new Uint8Array(Math.max(header.headerLength, HEADER_V3.size));
  bytes.set(HEADER_V3.encode(header));
  if (bytes.length > COMPRESSION_TYPE_AT) bytes[COMPRESSION_TYPE_AT] = header.compressionType;
  return bytes;
}

/** @param start the first `HEADER_V1.size` bytes of the image, or all of a shorter file */
export function decodeHeaderV1(start: Uint8Array): HeaderV1 {
  const version = versionOf(start);
  if (version !== 1)
    throw new DiskError('ERR_NOT_THIS_FORMAT', `version ${version} is not 1; the format is qcow2`);
  return HEADER_V1.decode(start);
}

/** @param start the first `HEADER_V3_BYTES` bytes of the image, or all of a shorter file */
export function decodeHeader(start: Uint8Array): Header {
  const version = versionOf(start);
  if (version === 1)
    throw new DiskError('ERR_NOT_THIS_FORMAT', 'version 1 is not 2 or 3; the format is qcow');
  if (version !== 2 && version !== 3) {
    throw new DiskError('ERR_UNSUPPORTED', `version ${version}, known are 1, 2 and 3`, {
      offset: HEADER_START.at.version,
    });
  }
  if (version === 2) {
    const header = HEADER_V2.decode(start);
    const absent = { incompatibleFeatures: 0n, compatibleFeatures: 0n, autoclearFeatures: 0n };
    return { ...header, ...absent, refcountOrder: 4, headerLength: HEADER_V2.size, compressionType: 0 };
  }
  const header = HEADER_V3.decode(start);
  const hasCompressionType = header.headerLength > COMPRESSION_TYPE_AT;
  return { ...header, compressionType: hasCompressionType ? (start[COMPRESSION_TYPE_AT] ?? 0) : 0 };
}

function versionOf(start: Uint8Array): number {
  const magic = new DataView(start.buffer, start.byteOffset, start.length);
  if (start.length < 4 || magic.getUint32(0) !== MAGIC_NUMBER) {
    throw new DiskError('ERR_NOT_THIS_FORMAT', 'the magic number "QFI\\xfb" is not there', { offset: 0 });
  }
  return HEADER_START.decode(start).version;
}
