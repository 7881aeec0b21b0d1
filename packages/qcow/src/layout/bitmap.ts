import { DiskError, type Limits } from '@diskstack/core';
import { decodeText, limitError, offset64, struct, u8, u16, u32 } from '@diskstack/core/format';

/** qcow2 spec, "Bitmaps extension". */
export const BITMAPS_EXTENSION = struct('big', {
  nbBitmaps: u32,
  reserved: u32,
  bitmapDirectorySize: offset64,
  bitmapDirectoryOffset: offset64,
});

/** qcow2 spec, "Bitmap directory entry", bytes 0 to 23. Extra data and name follow. */
const BITMAP = struct('big', {
  bitmapTableOffset: offset64,
  bitmapTableSize: u32,
  flags: u32,
  type: u8,
  granularityBits: u8,
  nameSize: u16,
  extraDataSize: u32,
});

const FLAG = { inUse: 1 << 0, auto: 1 << 1, extraDataCompatible: 1 << 2 } as const;
const DIRTY_TRACKING = 1;
const TWO_32 = 2 ** 32;

export interface Bitmap {
  /** Data from the image: quote it. */
  readonly name: string;
  /** Guest bytes that one bit covers. */
  readonly granularity: number;
  /** Byte of its table in the image. */
  readonly tableOffset: number;
  /** Entries of its table. */
  readonly tableSize: number;
  /** The bitmap was not saved when its writer closed the image: it may be out of date. */
  readonly inUse: boolean;
  /** Writers must keep it up to date. */
  readonly auto: boolean;
  /** False when the type or incompatible extra data is unknown. */
  readonly usable: boolean;
}

/**
 * Decodes the entry at `position` of the directory. Returns it and the position of the next one. `directoryAt` is for
 * errors.
 */
export function decodeBitmap(
  directory: Uint8Array,
  position: number,
  directoryAt: number,
  limits: Limits,
): { readonly bitmap: Bitmap; readonly next: number } {
  const at = directoryAt + position;
  const entry = BITMAP.decode(directory.subarray(position), at);
  if (entry.granularityBits > 31) {
    throw new DiskError(
      'ERR_CORRUPT',
      `granularity_bits is ${entry.granularityBits}, 31 is the most that is supported`,
      {
        offset: at + BITMAP.at.granularityBits,
      },
    );
  }
  if (entry.nameSize > limits.maxNameBytes) {
    const found = `a bitmap with a name of ${entry.nameSize} bytes`;
    throw limitError('maxNameBytes', limits, found, at + BITMAP.at.nameSize);
  }
  const nameAt = position + BITMAP.size + entry.extraDataSize;
  const end = nameAt + entry.nameSize;
  if (end > directory.length) {
    throw new DiskError(
      'ERR_CORRUPT',
      `a bitmap directory entry up to byte ${directoryAt + end}, the directory ends at ${directoryAt + directory.length}`,
      { offset: at },
    );
  }
  const bitmap: Bitmap = {
    name: decodeText(directory.subarray(nameAt, end)),
    granularity: 2 ** entry.granularityBits,
    tableOffset: entry.bitmapTableOffset,
    tableSize: entry.bitmapTableSize,
    inUse: (entry.flags & FLAG.inUse) !== 0,
    auto: (entry.flags & FLAG.auto) !== 0,
    usable:
      entry.type === DIRTY_TRACKING &&
      (entry.extraDataSize === 0 || (entry.flags & FLAG.extraDataCompatible) !== 0),
  };
  return { bitmap, next: Math.ceil(end / 8) * 8 };
}

/** The fields of a new bitmap. */
export type NewBitmapEntry = Pick<Bitmap, 'granularity' | 'tableOffset' | 'tableSize' | 'auto' | 'inUse'> & {
  readonly name: Uint8Array;
};

/** The bytes of an entry, padded to 8. */
export function encodeBitmap(bitmap: NewBitmapEntry): Uint8Array<ArrayBuffer> {
  const { name, granularity, tableOffset, tableSize, auto, inUse } = bitmap;
  const bytes = new Uint8Array(Math.ceil((BITMAP.size + name.length) / 8) * 8);
  bytes.set(
    BITMAP.encode({
      bitmapTableOffset: tableOffset,
      bitmapTableSize: tableSize,
      flags: (auto ? FLAG.auto : 0) | (inUse ? FLAG.inUse : 0),
      type: DIRTY_TRACKING,
      granularityBits: Math.log2(granularity),
      nameSize: name.length,
      extraDataSize: 0,
    }),
  );
  bytes.set(name, BITMAP.size);
  return bytes;
}

/** The bytes of an entry with another table or `auto` flag. Everything else stays. */
export function changedBitmap(
  entry: Uint8Array,
  change: { readonly tableOffset?: number; readonly tableSize?: number; readonly auto?: boolean },
): Uint8Array<ArrayBuffer> {
  const fields = BITMAP.decode(entry);
  const { tableOffset = fields.bitmapTableOffset, tableSize = fields.bitmapTableSize, auto } = change;
  const others = fields.flags & ~FLAG.auto;
  const flags = auto === undefined ? fields.flags : auto ? others | FLAG.auto : others;
  const bytes = Uint8Array.from(entry);
  bytes.set(
    BITMAP.encode({
      ...fields,
      bitmapTableOffset: tableOffset,
      bitmapTableSize: tableSize,
      flags: flags >>> 0,
    }),
  );
  return bytes;
}

/**
 * qcow2 spec, "Bitmap table entry": bits 9 to 55 are the cluster's offset. 0: no cluster, and `isAllOnes` gives all
 * bits.
 */
export function bitmapClusterOffset(hi: number, lo: number): number {
  return (hi & 0x00ffffff) * TWO_32 + ((lo & 0xfffffe00) >>> 0);
}

/** Writes the entry of a cluster of bits. */
export function putBitmapCluster(table: DataView, index: number, at: number): void {
  table.setUint32(index * 8, Math.floor(at / TWO_32));
  table.setUint32(index * 8 + 4, at >>> 0);
}

/** qcow2 spec, "Bitmap table entry", bit 0, for an entry without a cluster. */
export function isAllOnes(lo: number): boolean {
  return (lo & 1) !== 0;
}

/** qcow2 spec, "Bitmap table entry": bits 1 to 8 and 56 to 63, and bit 0 beside a cluster. */
export function hasReservedBitmapBits(hi: number, lo: number): boolean {
  const beside = bitmapClusterOffset(hi, lo) !== 0 && isAllOnes(lo);
  return hi >>> 24 !== 0 || (lo & 0x1fe) !== 0 || beside;
}

/** The flags of the entry at `position` of the directory, with `in_use` as given, and their place in the entry. */
export function bitmapFlags(
  directory: Uint8Array,
  position: number,
  inUse: boolean,
): { readonly at: number; readonly bytes: Uint8Array } {
  const { flags } = BITMAP.decode(directory.subarray(position), position);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, (inUse ? flags | FLAG.inUse : flags & ~FLAG.inUse) >>> 0);
  return { at: BITMAP.at.flags, bytes };
}

/** Bytes that the bits of a disk need. */
export function bitsBytes(size: number, granularity: number): number {
  return Math.ceil(Math.ceil(size / granularity) / 8);
}

/** Entries that the table of a bitmap needs. */
export function tableEntries(size: number, granularity: number, clusterSize: number): number {
  return Math.ceil(bitsBytes(size, granularity) / clusterSize);
}
