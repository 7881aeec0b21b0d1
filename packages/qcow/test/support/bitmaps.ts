import {
  type BitmapExtent,
  type BitmapExtentsIo,
  type BitmapInfo,
  can,
  type DiskModule,
} from '@diskstack/core';

export function bitmapsOf(disk: DiskModule): readonly BitmapInfo[] {
  if (!can(disk, 'bitmaps')) throw new Error('the disk has no bitmaps');
  return disk.bitmaps();
}

export async function bitmapExtentsOf(
  disk: DiskModule,
  name: string,
  io: BitmapExtentsIo = {},
): Promise<readonly BitmapExtent[]> {
  if (!can(disk, 'bitmapExtents')) throw new Error('the disk has no bitmaps');
  const extents: BitmapExtent[] = [];
  for await (const extent of disk.bitmapExtents(name, io)) extents.push(extent);
  return extents;
}

/** The extents of a disk of `size` bytes on which these ranges were written, rounded to the granularity. */
export function dirtyExtents(
  written: readonly (readonly [offset: number, length: number])[],
  size: number,
  granularity: number,
): readonly BitmapExtent[] {
  const dirty = new Array<boolean>(Math.ceil(size / granularity)).fill(false);
  for (const [offset, length] of written) {
    dirty.fill(true, Math.floor(offset / granularity), Math.ceil((offset + length) / granularity));
  }
  const extents: BitmapExtent[] = [];
  for (const [index, isDirty] of dirty.entries()) {
    const offset = index * granularity;
    const length = Math.min(granularity, size - offset);
    const last = extents.at(-1);
    if (last?.dirty === isDirty) extents[extents.length - 1] = { ...last, length: last.length + length };
    else extents.push({ offset, length, dirty: isDirty });
  }
  return extents;
}

/** qcow2 spec, "Bitmap directory entry". */
export interface BitmapSpec {
  readonly tableOffset: number;
  readonly tableSize: number;
  readonly flags?: number;
  readonly type?: number;
  readonly granularityBits?: number;
  readonly name: string;
  readonly extra?: Uint8Array;
}

/** The directory of these bitmaps. */
export function bitmapDirectory(specs: readonly BitmapSpec[]): Uint8Array {
  return Buffer.concat(
    specs.map(
      ({
        tableOffset,
        tableSize,
        flags = 2,
        type = 1,
        granularityBits = 9,
        name,
        extra = new Uint8Array(0),
      }) => {
        const fixed = Buffer.alloc(24);
        fixed.writeBigUInt64BE(BigInt(tableOffset), 0);
        fixed.writeUInt32BE(tableSize, 8);
        fixed.writeUInt32BE(flags, 12);
        fixed.writeUInt8(type, 16);
        fixed.writeUInt8(granularityBits, 17);
        fixed.writeUInt16BE(name.length, 18);
        fixed.writeUInt32BE(extra.length, 20);
        const whole = Buffer.concat([fixed, extra, Buffer.from(name)]);
        return Buffer.concat([whole, Buffer.alloc((8 - (whole.length % 8)) % 8)]);
      },
    ),
  );
}

/** qcow2 spec, "Bitmaps extension". */
export function bitmapsExtension(count: number, bytes: number, at: number) {
  const data = Buffer.alloc(24);
  data.writeUInt32BE(count, 0);
  data.writeBigUInt64BE(BigInt(bytes), 8);
  data.writeBigUInt64BE(BigInt(at), 16);
  return { type: 0x23852875, data };
}
