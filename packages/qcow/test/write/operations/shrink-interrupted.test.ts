import { can, createDisks, MemoryDisk } from '@diskstack/core';
import { CrashDisk } from '@diskstack/core/testing';
import { raw } from '@diskstack/raw';
import { expect, test } from 'vitest';
import { createQcow, qcow2 } from '../../../src/index.ts';
import { able } from '../../support/crash-run.ts';

// An image that becomes shorter: whatever interrupts it, what was past its new end shows nowhere again.

const KIB = 1024;
const disks = createDisks({ formats: [raw, qcow2] });
const OLD = 512 * KIB;
const NEW = 64 * KIB + 512;
/** Byte of the size in the header. */
const SIZE_AT = 24;

/** Clusters of 512 bytes, so that an L2 table covers 32 KiB; every byte is 7. */
async function filled(): Promise<Uint8Array> {
  const file = new MemoryDisk(new Uint8Array(0));
  await file.init();
  await createQcow(file, { size: OLD, clusterSize: 512 });
  await using disk = await disks.open(file, { format: 'qcow2', mountMode: 'rw' });
  await disk.write(0, new Uint8Array(OLD).fill(7));
  await disk.close();
  return file.bytes.slice();
}

const sizeOf = (image: Uint8Array): number => Number(new DataView(image.buffer).getBigUint64(SIZE_AT));

test('a crash leaves the old size, or the new one with nothing behind it', async () => {
  const file = new CrashDisk(await filled());
  await file.init();
  await using disk = await disks.open(file, { format: 'qcow2', mountMode: 'rw' });
  await able(disk, 'resize').resize(NEW, { shrink: true });
  await disk.close();
  let shortened = 0;
  for (let count = 0; count <= file.events.length; count++) {
    const image = file.after(count);
    if (sizeOf(image) === OLD) continue;
    shortened++;
    // As a program makes it longer that trusts the tables: by the header alone.
    new DataView(image.buffer).setBigUint64(SIZE_AT, BigInt(OLD));
    await using grown = await disks.open(image, { format: 'qcow2' });
    const bytes = await grown.read(0, OLD);
    expect(bytes.subarray(0, NEW).every((byte) => byte === 7)).toBe(true);
    expect(bytes.subarray(NEW).every((byte) => byte === 0)).toBe(true);
  }
  expect(shortened).toBeGreaterThan(0);
});

test('a signal ends it between two tables, and the image keeps its size', async () => {
  const controller = new AbortController();
  const file = new MemoryDisk(await filled());
  await file.init();
  const disk = await disks.open(file, { format: 'qcow2', mountMode: 'rw' });
  controller.abort();
  const resizing = able(disk, 'resize').resize(NEW, { shrink: true, signal: controller.signal });
  await expect(resizing).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  await disk.close();
  await using again = await disks.open(file.bytes.slice(), { format: 'qcow2' });
  expect(again.size()).toBe(OLD);
  if (!can(again, 'check')) throw new Error('the disk has no check');
  expect((await again.check()).corruptions).toBe(0);
});
