import { DiskError, quote } from '@diskstack/core';
import { clearBits } from '../../bitmaps/bits.ts';
import { readStructure } from '../../image/structure.ts';
import { bitsBytes, changedBitmap, tableEntries } from '../../layout/bitmap.ts';
import { type BitmapContext, changeBitmaps, dropBits, dropBytes } from './bitmap-changes.ts';
import { clusterOf, MAX_BITS_BYTES, readTable } from './bitmap-table.ts';
import { type DirectoryEntry, readDirectory } from './directory.ts';

/** Refuses a disk size for which a bitmap would be too large. */
export async function checkBitmapSizes({ state }: BitmapContext, size: number): Promise<void> {
  for (const { bitmap } of (await readDirectory(state.image)).entries) {
    const bytes = bitsBytes(size, bitmap.granularity);
    if (bitmap.inUse || !bitmap.usable || bytes <= MAX_BITS_BYTES) continue;
    throw new DiskError(
      'ERR_ARGUMENT',
      `the bitmap ${quote(bitmap.name)} would have ${bytes} bytes, ${MAX_BITS_BYTES} are allowed; remove it first`,
    );
  }
}

/**
 * Fits bitmaps, which are marked in use, to a new disk size: their tables get the needed number of entries, and no bit
 * past the end stays set. Added guest bytes are clean, as in qemu.
 */
export async function fitBitmaps(
  context: BitmapContext,
  oldSize: number,
  isHeld: (index: number) => boolean,
): Promise<void> {
  const { header, geometry, file } = context.state.image;
  const { clusterSize } = geometry;
  if (header.size === oldSize) return;
  const { entries } = await readDirectory(context.state.image);
  const needed = ({ bitmap }: DirectoryEntry): number =>
    tableEntries(header.size, bitmap.granularity, clusterSize);
  const held = entries.filter((_, index) => isHeld(index));
  if (header.size < oldSize) for (const entry of held) await clearTail(context, entry);
  if (held.every((entry) => needed(entry) === entry.bitmap.tableSize)) return;
  await changeBitmaps(context, async (current, staging) => {
    const changed: Uint8Array[] = [];
    for (const [index, entry] of current.entries()) {
      const { tableSize: oldEntries, tableOffset: at } = entry.bitmap;
      const tableSize = needed(entry);
      if (!isHeld(index) || tableSize === oldEntries) {
        changed.push(entry.bytes);
        continue;
      }
      const table = new Uint8Array(tableSize * 8);
      const kept = await readTable(file, entry.bitmap, Math.min(tableSize, oldEntries));
      table.set(new Uint8Array(kept.buffer));
      const tableOffset = await staging.write('a bitmap', table);
      await dropBits(staging, entry, tableSize);
      await dropBytes(staging, at, oldEntries * 8);
      changed.push(changedBitmap(entry.bytes, { tableOffset, tableSize }));
    }
    return changed;
  });
}

/** qcow2 spec, "Bitmap data": the bits past the end of the disk are zero. */
async function clearTail({ state }: BitmapContext, { bitmap }: DirectoryEntry): Promise<void> {
  const { header, geometry } = state.image;
  const pageBits = geometry.clusterSize * 8;
  const bits = Math.ceil(header.size / bitmap.granularity);
  const index = Math.floor(bits / pageBits);
  if (index >= bitmap.tableSize || bits % pageBits === 0) return;
  const at = clusterOf(await readTable(state.file.disk, bitmap, index + 1), index);
  if (at === 0) return;
  const place = { what: 'a bitmap', at, length: geometry.clusterSize };
  const page = await readStructure(state.file.disk, place, {});
  if (clearBits(page, bits % pageBits, pageBits)) await state.file.writeMetadata('a bitmap', at, page);
}
