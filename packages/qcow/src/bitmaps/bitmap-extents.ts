import { type BitmapExtent, DiskError, type DiskModule, type Io, type Limits, quote } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { readStructure } from '../image/structure.ts';
import { type Bitmap, bitmapClusterOffset, isAllOnes } from '../layout/bitmap.ts';
import { findBit } from './bits.ts';
import type { DirtyBits } from './dirty-bits.ts';

/** What reading a bitmap needs from the image. */
export interface BitmapReading {
  readonly file: DiskModule;
  readonly clusterSize: number;
  /** Guest bytes. */
  readonly size: number;
  readonly limits: Limits;
  /** Dirty ranges in memory, beside the stored bits. */
  readonly changes?: DirtyBits | undefined;
}

/** qcow2 spec, "Bitmap data": each bit covers a run of guest bytes. Adjacent runs with equal bits are one extent. */
export async function* bitmapExtents(
  { file, clusterSize, size, limits, changes }: BitmapReading,
  bitmap: Bitmap,
  io: Io,
): AsyncGenerator<BitmapExtent> {
  const { granularity, tableOffset, tableSize } = bitmap;
  const perCluster = clusterSize * 8 * granularity; // guest bytes of a cluster of bits
  const needed = Math.ceil(size / perCluster);
  if (!bitmap.usable)
    throw new DiskError('ERR_UNSUPPORTED', `the bitmap ${quote(bitmap.name)} has an unknown type`);
  if (
    tableSize < needed ||
    tableSize * 8 > limits.maxTableBytes ||
    tableOffset + tableSize * 8 > file.size()
  ) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the table of the bitmap ${quote(bitmap.name)} has ${tableSize} entries, ${needed} needed, in a file of ${file.size()} bytes`,
      { offset: tableOffset },
    );
  }
  const table = new DataView((await readBits(file, tableOffset, needed * 8, io)).buffer);
  let run: BitmapExtent | undefined;
  for (let index = 0; index < needed; index++) {
    const from = index * perCluster;
    const end = Math.min(size, from + perCluster);
    const at = bitmapClusterOffset(table.getUint32(index * 8), table.getUint32(index * 8 + 4));
    const dirty = isAllOnes(table.getUint32(index * 8 + 4));
    const parts =
      at === 0
        ? [{ offset: from, length: end - from, dirty }]
        : bitRuns(await readBits(file, at, clusterSize, io), from, end, granularity);
    for (const part of changes === undefined ? parts : withChanges(parts, changes, size, granularity)) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      if (run?.dirty === part.dirty) {
        run = { ...run, length: run.length + part.length };
      } else {
        if (run !== undefined) yield run;
        run = part;
      }
    }
  }
  if (run !== undefined) yield run;
}

/** Runs of equal bits, as ranges of guest bytes. */
function* bitRuns(bits: Uint8Array, from: number, end: number, granularity: number): Iterable<BitmapExtent> {
  const count = Math.ceil((end - from) / granularity);
  for (let bit = 0; bit < count; ) {
    const dirty = findBit(bits, bit, bit + 1, true) === bit;
    const next = findBit(bits, bit, count, !dirty);
    const offset = from + bit * granularity;
    yield { offset, length: Math.min(end, from + next * granularity) - offset, dirty };
    bit = next;
  }
}

/** The parts with the changes marked dirty. Changes are rounded to the granularity of the bitmap. */
function* withChanges(
  parts: Iterable<BitmapExtent>,
  changes: DirtyBits,
  size: number,
  granularity: number,
): Iterable<BitmapExtent> {
  for (const part of parts) {
    const end = part.offset + part.length;
    let clean = part.offset;
    if (!part.dirty) {
      for (const { offset, length } of changes.runs(part.offset, end)) {
        const from = offset - (offset % granularity);
        const to = Math.min(size, Math.ceil((offset + length) / granularity) * granularity);
        if (from > clean) yield { offset: clean, length: from - clean, dirty: false };
        if (to > clean)
          yield { offset: Math.max(clean, from), length: to - Math.max(clean, from), dirty: true };
        clean = Math.max(clean, to);
      }
    }
    if (clean < end) yield { offset: clean, length: end - clean, dirty: part.dirty };
  }
}

async function readBits(file: DiskModule, at: number, length: number, io: Io): Promise<Uint8Array> {
  return await readStructure(file, { what: 'a bitmap', at, length }, io);
}
