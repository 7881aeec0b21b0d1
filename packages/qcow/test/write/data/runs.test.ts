import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, MemoryDisk, SliceDisk } from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { createQcow } from '../../../src/index.ts';
import { noise } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { FORMATS } from '../../support/open.ts';
import { checkWithQemu, convertWithQemu, describeWithQemu } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

// Whole clusters without an entry are planned as one run. What matters is where such a run has to end.

const temp = tempFolder();
const disks = createDisks({ formats: FORMATS, codecs: zlibCodecs });
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };
const GUEST = 2 ** 20;

/** The stored bytes of an image of at most `length` bytes, after `work` on its disk. */
async function image(
  options: { readonly clusterSize: number; readonly extendedL2?: boolean; readonly version?: 2 | 3 },
  length: number,
  work: (disk: Awaited<ReturnType<typeof disks.open>>) => Promise<void>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const below = new SliceDisk(new MemoryDisk(bytes, { writable: true }), 0, length); // cannot grow
  await below.init();
  await createQcow(below, { size: GUEST, ...options });
  const disk = await disks.open(below, { mountMode: 'rw', format: 'qcow2' });
  await work(disk);
  await disk.close();
  return bytes;
}

const SHAPES = [
  { clusterSize: 512 },
  { clusterSize: 4096, version: 2 },
  { clusterSize: 4096 },
  { clusterSize: 16_384, extendedL2: true },
] as const;

describeWithQemu('a write of many clusters', () => {
  test.for(SHAPES)('is spread over the free clusters of a full image (%o)', async (shape) => {
    const { clusterSize } = shape;
    const expected = new Uint8Array(GUEST);
    const half = GUEST / 2;
    const room = half + 12 * clusterSize + GUEST / 64; // half of the guest clusters, and the metadata
    const stored = await image(shape, room, async (disk) => {
      const first = noise(half / 2, 1);
      await disk.write(0, first);
      expected.set(first);
      for (let at = 0; at < half / 2; at += 3 * clusterSize) {
        await able(disk, 'discard').discard(at, clusterSize);
        expected.fill(0, at, at + clusterSize);
      }
      await able(disk, 'flush').flush();
      const second = noise((half * 5) / 8, 2);
      await disk.write(half + 100, second); // begins and ends inside clusters
      expected.set(second, half + 100);
      const places = new Set<number>();
      for await (const { at = 0 } of able(disk, 'extents').extents(half, half)) places.add(at);
      expect(places.size).toBeGreaterThan(2);
    });
    const path = join(await temp.next(), 'image');
    await writeFile(path, stored);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    expect(Buffer.compare(await convertWithQemu(path, 'qcow2'), expected)).toBe(0);
  });

  test.for(SHAPES)('goes around clusters that have an entry already (%o)', async (shape) => {
    const { clusterSize } = shape;
    const expected = new Uint8Array(GUEST);
    const stored = await image(shape, 2 * GUEST, async (disk) => {
      const put = async (at: number, bytes: Uint8Array) => {
        await disk.write(at, bytes);
        expected.set(bytes, at);
      };
      await put(3 * clusterSize + 7, noise(100, 3));
      await put(9 * clusterSize, noise(clusterSize, 4));
      await able(disk, 'writeZeroes').writeZeroes(12 * clusterSize, 2 * clusterSize);
      await put(clusterSize - 1, noise(20 * clusterSize, 5));
      await put(30 * clusterSize, noise(clusterSize * 2 - 1, 6));
    });
    const path = join(await temp.next(), 'image');
    await writeFile(path, stored);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    expect(Buffer.compare(await convertWithQemu(path, 'qcow2'), expected)).toBe(0);
  });
});
