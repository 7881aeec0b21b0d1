import { can, createDisks } from '@diskstack/core';
import { transferBuffer } from '@diskstack/core/format';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { openHost } from '@diskstack/host';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const disks = createDisks({
  formats: [raw, qcow2],
  drivers: [fileDriver({ host: openHost })],
  codecs: zlibCodecs,
});

/** Reads of one disk, one after the other. Lengths in bytes. */
export interface Reads {
  readonly length: number;
  /** From the start of one read to the start of the next. */
  readonly step: number;
  readonly count: number;
}

/** Bytes read of a large disk: all of a small one. */
const MAX_READ = 1024 * 1024 * 1024;

/** Milliseconds that the reads take in this process, without opening. They wrap at the end of the disk. */
export async function reading(image: string, { length, step, count }: Reads): Promise<number> {
  await using disk = await disks.open(image);
  if (!can(disk, 'readInto')) throw new Error('the disk has no inner path');
  const buffer = transferBuffer(length);
  const limit = disk.size() - length;
  const start = performance.now();
  for (let index = 0, offset = 0; index < count; index++) {
    const waiting = disk.readInto(offset, buffer);
    if (waiting !== undefined) await waiting;
    offset += step;
    if (offset > limit) offset -= limit - (limit % 4096);
  }
  return performance.now() - start;
}

/** Reads of `length` bytes through the whole disk, or through its first gigabyte. */
export async function readsThrough(image: string, length: number): Promise<Reads> {
  await using disk = await disks.open(image);
  return { length, step: length, count: Math.floor(Math.min(disk.size(), MAX_READ) / length) };
}

/** Milliseconds to open the image and read its first sector, `count` times. */
export async function opening(image: string, count: number): Promise<number> {
  const sector = new Uint8Array(512);
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    await using disk = await disks.open(image);
    await disk.read(0, sector.length, { into: sector });
  }
  return performance.now() - start;
}

/** Milliseconds to open the image and walk through its extents. */
export async function mapping(image: string): Promise<number> {
  const start = performance.now();
  await using disk = await disks.open(image);
  if (!can(disk, 'extents')) throw new Error('the disk has no extents');
  let end = 0;
  for await (const { offset, length } of disk.extents()) end = offset + length;
  if (end !== disk.size()) throw new Error(`the map ends at ${end} of ${disk.size()}`);
  return performance.now() - start;
}
