import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, type DiskModule } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { noise } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { patchImage } from '../../support/image-patch.ts';
import { FORMATS } from '../../support/open.ts';
import { checkWithQemu, describeWithQemu, qemuImg, qemuIo } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

// The size of the file after writes: no byte in use is cut off, and little is added.

const temp = tempFolder();
const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });
const GiB = 2 ** 30;
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };

async function change(path: string, work: (disk: DiskModule) => Promise<unknown>): Promise<void> {
  await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
  await work(disk);
}

describeWithQemu('the length of a written image', () => {
  test('clusters whose refcounts are wrongly 0 at the end of the file are not cut off', async () => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '4M');
    await qemuIo(['-f', 'qcow2', path], ['write -P 7 0 64k', 'write -P 8 1M 64k']);
    await patchImage(path, (image) => image.refcount(image.bytes.length / image.clusterSize - 1, 0));
    const before = await readFile(path);
    await change(path, (disk) => disk.write(0, Uint8Array.of(1)));
    expect((await stat(path)).size).toBe(before.length);
    await using disk = await disks.open(path);
    expect(await disk.read(2 ** 20, 65_536)).toEqual(new Uint8Array(65_536).fill(8));
  });

  test('what the file has grown by is cut off where nothing stands in it', async () => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '64M');
    await change(path, (disk) => disk.write(0, noise(10 * 2 ** 20, 1)));
    expect((await stat(path)).size).toBeLessThan(11 * 2 ** 20);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('discarding what has no place makes no tables where nothing shows', async () => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '100G');
    const { size } = await stat(path);
    await change(path, (disk) => able(disk, 'discard').discard(0, 100 * GiB));
    expect((await stat(path)).size).toBe(size);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('a disk that becomes shorter gives back the tables of what is cut off', async () => {
    const folder = await temp.next();
    const path = join(folder, 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '10G');
    const everywhere = Array.from({ length: 20 }, (_, index) => `write -P 9 ${index * 512}M 4k`);
    await qemuIo(['-f', 'qcow2', path], everywhere);
    await change(path, (disk) => able(disk, 'resize').resize(2 ** 20, { shrink: true }));
    expect(await checkWithQemu(path)).toMatchObject({ ...SOUND, allocatedClusters: 1 });
    const copy = join(folder, 'copy');
    await copyFile(path, copy);
    // No cluster before the end stays unused.
    await change(copy, async (disk) => {
      await able(disk, 'resize').resize(GiB);
      await disk.write(2 ** 20, noise(30 * 65_536, 2));
    });
    expect((await stat(copy)).size).toBe((await stat(path)).size + 30 * 65_536);
    expect(await checkWithQemu(copy)).toMatchObject(SOUND);
  });

  test('tables that a snapshot shares stay its own when the disk becomes shorter', async () => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '2G');
    await qemuIo(['-f', 'qcow2', path], ['write -P 9 1536M 64k', 'write -P 3 0 64k']);
    await qemuImg('snapshot', '-c', 'kept', path);
    await change(path, (disk) => able(disk, 'resize').resize(2 ** 20, { shrink: true }));
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    await using disk = await disks.open(path, { snapshot: 'kept' });
    expect(await disk.read(1536 * 2 ** 20, 65_536)).toEqual(new Uint8Array(65_536).fill(9));
  });
});

describeWithQemu('unknown autoclear bits', () => {
  test.for([
    ['a bitmap is added', (disk: DiskModule) => able(disk, 'bitmapStore').bitmapStore.add({ name: 'b' })],
    ['the image is repaired', (disk: DiskModule) => able(disk, 'repair').repair({ fix: 'all' })],
  ] as const)('are cleared when %s', async ([, work]) => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '4M');
    const image = await readFile(path);
    image[88] = 0x40;
    await writeFile(path, image);
    await change(path, work);
    expect((await readFile(path))[88]).toBe(0);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });
});

describeWithQemu('space at the end of the file', () => {
  const SHAPES = ['cluster_size=64k', 'cluster_size=4k', 'cluster_size=512', 'cluster_size=64k,compat=0.10'];
  const WRITES = ['write -q -P 1 0 1M', 'write -q -P 2 100M 4M', 'write -q -P 3 200M 1M'];

  async function image(shape: string, ...commands: string[]): Promise<string> {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', shape, path, '256M');
    await qemuIo(['-f', 'qcow2', path], commands);
    return path;
  }

  test.for(SHAPES)(
    '%s: a disk that becomes shorter ends where qemu-img ends it, or before',
    async (shape) => {
      const path = await image(shape, ...WRITES);
      const theirs = `${path}.theirs`;
      await copyFile(path, theirs);
      await qemuImg('resize', '-q', '--shrink', '-f', 'qcow2', theirs, '50M');
      await change(path, (disk) => able(disk, 'resize').resize(50 * 2 ** 20, { shrink: true }));
      expect((await stat(path)).size).toBeLessThanOrEqual((await stat(theirs)).size);
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
      await using disk = await disks.open(path);
      expect(Buffer.compare(await disk.read(0, 2 ** 20), Buffer.alloc(2 ** 20, 1))).toBe(0);
    },
  );

  const ALL: readonly (readonly [string, (disk: DiskModule) => Promise<unknown>])[] = [
    ['discarded', (disk) => able(disk, 'discard').discard(2 ** 20, 255 * 2 ** 20)],
    [
      'written over with zeroes',
      (disk) => able(disk, 'writeZeroes').writeZeroes(2 ** 20, 255 * 2 ** 20, { unmap: true }),
    ],
  ];
  test.for(SHAPES.flatMap((shape) => ALL.map(([what, work]) => [shape, what, work] as const)))(
    '%s: what is %s goes back',
    async ([shape, , work]) => {
      const path = await image(shape, ...WRITES);
      await change(path, work);
      expect((await stat(path)).size).toBeLessThan(3 * 2 ** 20);
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
    },
  );

  test.for(SHAPES)('%s: what only a snapshot had goes back with it', async (shape) => {
    const path = await image(shape, ...WRITES);
    await qemuImg('snapshot', '-c', 'kept', path);
    await change(path, (disk) => able(disk, 'discard').discard(2 ** 20, 255 * 2 ** 20));
    const { size } = await stat(path);
    await change(path, (disk) => able(disk, 'snapshots').snapshots.delete('kept'));
    if (!shape.includes('0.10')) expect((await stat(path)).size).toBeLessThan(size - 4 * 2 ** 20);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    await using disk = await disks.open(path);
    expect(Buffer.compare(await disk.read(0, 2 ** 20), Buffer.alloc(2 ** 20, 1))).toBe(0);
  });

  test('what the active state had alone goes back when a snapshot is applied', async () => {
    const path = await image('cluster_size=64k', 'write -q -P 1 0 1M');
    await qemuImg('snapshot', '-c', 'kept', path);
    const { size } = await stat(path);
    await qemuIo(['-f', 'qcow2', path], WRITES.slice(1));
    await change(path, (disk) => able(disk, 'snapshots').snapshots.apply('kept'));
    expect((await stat(path)).size).toBeLessThanOrEqual(size + 2 * 65_536);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('a data file ends where the disk does, and the image gives its tables back', async () => {
    const folder = await temp.next();
    const path = join(folder, 'image');
    await qemuImg(
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `cluster_size=4k,data_file=${folder}/data`,
      path,
      '256M',
    );
    await qemuIo(['-f', 'qcow2', path], WRITES);
    const { size } = await stat(path);
    await change(path, (disk) => able(disk, 'resize').resize(2 ** 20, { shrink: true }));
    expect((await stat(join(folder, 'data'))).size).toBe(2 ** 20);
    expect((await stat(path)).size).toBeLessThan(size);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('clusters that were free by their refcount stay, between and behind what is freed', async () => {
    const path = await image(
      'cluster_size=64k',
      'write -q -P 7 0 64k',
      'write -q -P 8 1M 64k',
      'write -q -P 9 2M 64k',
    );
    await patchImage(path, (image) => image.refcount(image.bytes.length / image.clusterSize - 2, 0));
    const { size } = await stat(path);
    await change(path, (disk) => able(disk, 'discard').discard(2 * 2 ** 20, 65_536));
    expect((await stat(path)).size).toBe(size - 65_536);
    await using disk = await disks.open(path);
    expect(await disk.read(2 ** 20, 65_536)).toEqual(new Uint8Array(65_536).fill(8));
  });
});
