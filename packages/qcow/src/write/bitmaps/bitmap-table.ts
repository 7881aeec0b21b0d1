import type { DiskModule } from '@diskstack/core';
import type { QcowImage } from '../../image/image.ts';
import { readStructure } from '../../image/structure.ts';
import {
  type Bitmap,
  bitmapClusterOffset,
  bitsBytes,
  hasReservedBitmapBits,
  tableEntries,
} from '../../layout/bitmap.ts';

/** The limit of qemu for the bits of one bitmap, in bytes. */
export const MAX_BITS_BYTES = 0x2000_0000;

/** The first `entries` entries of a bitmap's table. */
export async function readTable(
  file: DiskModule,
  { tableOffset: at }: Pick<Bitmap, 'tableOffset'>,
  entries: number,
): Promise<DataView> {
  const bytes = await readStructure(file, { what: 'a bitmap table', at, length: entries * 8 }, {});
  return new DataView(bytes.buffer);
}

/** Byte of the cluster that an entry names; 0 for none. */
export function clusterOf(table: DataView, index: number): number {
  return bitmapClusterOffset(table.getUint32(index * 8), table.getUint32(index * 8 + 4));
}

/** Whether a bitmap can be kept up to date: its type is known, and its table and bits have possible places. */
export async function isSound(image: QcowImage, bitmap: Bitmap): Promise<boolean> {
  const { file, header, geometry, limits } = image;
  const { clusterSize } = geometry;
  const { tableOffset, tableSize, granularity, usable } = bitmap;
  const needed = tableEntries(header.size, granularity, clusterSize);
  if (!usable || tableSize < needed || bitsBytes(header.size, granularity) > MAX_BITS_BYTES) return false;
  if (tableOffset % clusterSize !== 0 || tableOffset + tableSize * 8 > file.size()) return false;
  if (tableSize * 8 > limits.maxTableBytes) return false;
  const table = await readTable(file, bitmap, tableSize);
  for (let index = 0; index < tableSize; index++) {
    const at = clusterOf(table, index);
    if (hasReservedBitmapBits(table.getUint32(index * 8), table.getUint32(index * 8 + 4))) return false;
    if (at % clusterSize !== 0 || (at !== 0 && at + clusterSize > file.size())) return false;
  }
  return true;
}
