import { hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { type BitmapDirectory, bitmapsAreConsistent, readBitmaps } from '../bitmaps/directory.ts';
import { type Bitmap, bitmapClusterOffset, hasReservedBitmapBits, tableEntries } from '../layout/bitmap.ts';
import { EXTENSION_TYPE, findExtension, type HeaderExtension } from '../layout/header-extension.ts';
import type { Counting } from './counting.ts';

/** Bytes of a table handled before the loop yields to the event loop, if that is due. */
const BREATH = 32_768;

/** Counts the references of bitmaps. Bitmaps that may be out of date own no cluster: it may hold anything by now. */
export async function referBitmaps(counting: Counting): Promise<void> {
  const { image } = counting;
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined || !bitmapsAreConsistent(image)) return;
  const directory = await readDirectory(counting, extension);
  if (directory === undefined) return;
  counting.refer(directory.at, directory.length, 'the bitmap directory', extension.at);
  let bytesLeft = image.file.size();
  for (const bitmap of directory.bitmaps) {
    bytesLeft -= bitmap.tableSize * 8;
    if (bytesLeft < 0) {
      counting.findings.unread++;
      counting.findings.corruption(
        'the bitmap tables are longer than the file, so they overlap',
        directory.at,
      );
      return;
    }
    await referBitmap(counting, bitmap, directory.at);
  }
}

async function readDirectory(
  { image, findings, io }: Counting,
  extension: HeaderExtension,
): Promise<BitmapDirectory | undefined> {
  try {
    return await readBitmaps(image.file, extension, image.limits, io);
  } catch (error) {
    findings.unread++;
    findings.failure('the bitmap directory cannot be read', error);
    return undefined;
  }
}

async function referBitmap(counting: Counting, bitmap: Bitmap, directoryAt: number): Promise<void> {
  const { findings, clusterSize, image } = counting;
  const { tableOffset, tableSize } = bitmap;
  const { maxTableBytes } = image.limits;
  if (tableSize * 8 > maxTableBytes) {
    findings.unread++;
    findings.corruption(
      `a bitmap table of ${tableSize} entries, ${maxTableBytes / 8} are allowed`,
      tableOffset,
    );
    return;
  }
  if (!counting.refer(tableOffset, tableSize * 8, 'a bitmap table', directoryAt)) {
    findings.unread++;
    return;
  }
  const needed = tableEntries(image.header.size, bitmap.granularity, clusterSize);
  if (!bitmap.inUse && tableSize !== needed)
    findings.corruption(`a bitmap table of ${tableSize} entries, the disk needs ${needed}`, tableOffset);
  const table = await counting.read(tableOffset, tableSize * 8, 'a bitmap table');
  for (let position = 0; position < (table?.byteLength ?? 0); position += 8) {
    if (position % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const [hi, lo] = [table?.getUint32(position) ?? 0, table?.getUint32(position + 4) ?? 0];
    const at = bitmapClusterOffset(hi, lo);
    const entryAt = tableOffset + position;
    if (hasReservedBitmapBits(hi, lo) || at % clusterSize !== 0) {
      findings.unread++;
      findings.corruption(`a bitmap table entry ${hex(hi)} ${hex(lo)} is not valid`, entryAt);
    } else if (at !== 0) {
      counting.refer(at, clusterSize, 'a cluster of a bitmap', entryAt);
    }
  }
}
