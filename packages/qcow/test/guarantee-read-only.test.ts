import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { can, createDisks, describeStack } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf, spyDriver } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { bitmapDirectory, bitmapExtentsOf, bitmapsExtension } from './support/bitmaps.ts';
import { checkDisk } from './support/check.ts';
import { noise, text } from './support/content.ts';
import { COPIED, compressed, FIRST_FREE, qcow2Image, standard } from './support/image-builder.ts';
import { imageFolder } from './support/image-folder.ts';
import { FORMATS } from './support/open.ts';
import { snapshotTable } from './support/snapshot-table.ts';
import { tempFolder } from './support/temp-folder.ts';

// Inputs are opened without write access, and stay the same byte for byte whatever a caller does with the disk.

const temp = tempFolder();
const CLUSTER = 4096;
const [DATA, STREAM, SNAPSHOTS, L1, DIRECTORY] = Array.from(
  { length: 5 },
  (_, index) => (FIRST_FREE + index) * CLUSTER,
) as [number, number, number, number, number];
const packed = text(CLUSTER, 2);
const stream = deflateRawSync(packed);
const directory = bitmapDirectory([{ tableOffset: 0, tableSize: 0, name: 'b' }]);

/** Dirty, with a snapshot, a bitmap, every autoclear bit and lazy refcounts: what a writer would change first. */
const top = qcow2Image({
  l2: { 0: standard(DATA), 1: compressed(STREAM, stream.length) },
  backing: 'base',
  header: {
    incompatibleFeatures: 1n,
    compatibleFeatures: 1n,
    autoclearFeatures: 2n ** 64n - 1n - 2n,
    nbSnapshots: 1,
    snapshotsOffset: SNAPSHOTS,
  },
  extensions: [bitmapsExtension(1, directory.length, DIRECTORY)],
  at: [
    [DATA, noise(CLUSTER, 1)],
    [STREAM, stream],
    [SNAPSHOTS, snapshotTable([{ l1TableOffset: L1, l1Size: 1, id: '1', name: 'one' }])],
    [L1, new Uint8Array(CLUSTER)],
    [DIRECTORY, directory],
  ],
});
const withDataFile = {
  size: CLUSTER,
  l2: { 0: COPIED },
  header: { incompatibleFeatures: 4n, autoclearFeatures: 2n },
  extensions: [{ type: 0x44415441, data: Buffer.from('data') }],
};

async function digests(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(folder)).sort();
  const all = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const hash = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      return [name, `${hash} ${(await stat(path)).mtimeMs}`] as const;
    }),
  );
  return Object.fromEntries(all);
}

test('everything that can be done with a disk leaves its files alone', async () => {
  const folder = await imageFolder(temp, {
    top,
    base: noise(9000, 3),
    'with-data': withDataFile,
    data: noise(CLUSTER, 4),
  });
  const before = await digests(folder);
  const driver = spyDriver(fileDriver());
  const disks = createDisks({ formats: FORMATS, drivers: [driver] });

  await disks.probe(join(folder, 'top'));
  for (const [name, options] of [
    ['top', {}],
    ['top', { snapshot: 'one' }],
    ['top', { metadataOnly: true }],
    ['with-data', {}],
  ] as const) {
    const disk = await disks.open(join(folder, name), options);
    await disk.read(0, disk.size()).catch(() => undefined); // metadata alone cannot be read
    if (can(disk, 'extents')) for await (const _ of disk.extents());
    if (can(disk, 'flush')) await disk.flush();
    await checkDisk(disk);
    if (name === 'top') await bitmapExtentsOf(disk, 'b').catch(() => undefined); // its table is too short
    describeStack(disk);
    expect((await diskErrorOf(() => disk.write(0, new Uint8Array(512)))).code).toBe('ERR_READ_ONLY');
    await disk.close();
  }
  await (await disks.open(join(folder, 'top'), { mountMode: 'rw' })).close(); // and nothing was written

  expect(await digests(folder)).toEqual(before);
  expect(driver.openDisks).toBe(0);
});

test('nothing is opened for writing unless the caller says so, and then the image alone', async () => {
  const folder = await imageFolder(temp, {
    top,
    base: noise(9000, 3),
    'with-data': withDataFile,
    data: noise(CLUSTER, 4),
  });
  const driver = spyDriver(fileDriver());
  const disks = createDisks({ formats: FORMATS, drivers: [driver] });
  for (const name of ['top', 'with-data']) await (await disks.open(join(folder, name))).close();
  const opened = driver.calls.filter(({ call }) => call === 'open');
  expect(opened).toHaveLength(4);
  expect(opened.filter(({ writable }) => writable)).toEqual([]);
  await (await disks.open(join(folder, 'top'), { mountMode: 'rw' })).close();
  expect(driver.calls.filter(({ writable }) => writable).map(({ path }) => path)).toEqual([
    join(folder, 'top'),
  ]);
});

test('an image in memory is not changed either, not by a bit of its header', async () => {
  const bytes = top.slice();
  await using disk = await createDisks({ formats: FORMATS }).open(bytes, { metadataOnly: true });
  await checkDisk(disk);
  expect(bytes).toEqual(top);
});
