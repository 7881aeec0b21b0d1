import { join } from 'node:path';
import { can } from '@diskstack/core';
import { expect, test } from 'vitest';
import { checkDisk, numbersOf } from '../support/check.ts';
import { openPath } from '../support/image-folder.ts';
import { checkWithQemu, describeWithQemu, plainSource, qemuImg } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** The result of some work, and the most bytes of array buffers in use meanwhile. What is garbage counts. */
async function withPeak<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly most: number }> {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const look = (): void => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  };
  const timer = setInterval(look, 1); // it runs, because no call holds the event loop
  try {
    return { result: await work(), most };
  } finally {
    look();
    clearInterval(timer);
  }
}

describeWithQemu('an image with 32 MiB of L2 tables', () => {
  const temp = tempFolder();

  test('check and extents keep a part of them in memory, and leave no garbage', async () => {
    const path = join(await temp.next(), 'disk.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'preallocation=metadata', path, '256G');
    await using disk = await openPath(path, { format: 'qcow2' });

    const check = await withPeak(() => checkDisk(disk));
    expect(numbersOf(check.result)).toEqual(await checkWithQemu(...plainSource(path, 'qcow2')));
    // A byte for each of 4 Mi clusters, and 8 MiB of refcount blocks.
    expect(check.most).toBeLessThan(20 * MiB);

    if (!can(disk, 'extents')) throw new Error('the disk has no extents');
    const { extents } = disk;
    const map = await withPeak(async () => {
      const found: { length: number; at: number | undefined }[] = [];
      for await (const { length, at } of extents.call(disk, 0, disk.size())) found.push({ length, at });
      return found;
    });
    // A new extent begins where an L2 table or a refcount block lies between the clusters.
    expect(map.result.reduce((sum, { length }) => sum + length, 0)).toBe(256 * GiB);
    expect(map.result.length).toBeGreaterThanOrEqual(512);
    // Limits.tableCacheBytes, 16 MiB by default.
    expect(map.most).toBeLessThan(24 * MiB);
  }, 60_000);
});
