import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, type DiskModule } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import { able } from '../support/crash-run.ts';
import { patchImage } from '../support/image-patch.ts';
import { FORMATS } from '../support/open.ts';
import { checkWithQemu, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

// How long the file of an image is after it was written: no byte in use is cut off, and little is added.

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
    // No place before the end stays unused.
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
