import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, type DiskModule, MemoryDisk } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import type { VolumeManager } from '@diskstack/core/volumes';
import { volumeMap } from '@diskstack/lvm-stub';
import { describe, expect, test } from 'vitest';
import { noise } from './support/content.ts';
import { qcow2Image, standard } from './support/image-builder.ts';
import { backingFormat, imageFolder, openPath } from './support/image-folder.ts';
import { FORMATS } from './support/open.ts';
import { tempFolder } from './support/temp-folder.ts';

// The rows of `parity.test.ts` that are about logical volumes.

const temp = tempFolder();
const CLUSTER = 4096;
const content = noise(CLUSTER, 1);
const base = noise(16 * CLUSTER, 2);
const simple = (): Uint8Array<ArrayBuffer> =>
  qcow2Image({ l2: { 0: standard(4 * CLUSTER) }, at: [[4 * CLUSTER, content]] });

describe('backing_file_name + appliance volume manager', () => {
  /** A folder with an image `top` that names `backing`; a volume `lv` of that folder holds the base. */
  async function setUp(backing: string) {
    const folder = await imageFolder(temp, { top: { backing } });
    const volumeManager = volumeMap({
      [join(folder, 'lv')]: () => new MemoryDisk(base),
      '/dev/vg0/base-1': () => new MemoryDisk(base),
    });
    return { folder, top: join(folder, 'top'), services: { volumeManager } };
  }

  test.for(['lv', './lv', '../elsewhere/lv', '/somewhere/lv'])(
    '%s is the volume of that name in the folder of the image',
    async (name) => {
      const { top, services } = await setUp(name);
      await using disk = await openPath(top, { services });
      expect(await disk.read(0, 65536)).toEqual(base);
    },
  );

  test.for(['/dev/vg0/base-1', '/dev/mapper/vg0-base--1', '/dev/vg0/../vg0/base-1'])(
    '%s is a volume by its whole path',
    async (name) => {
      const { top, services } = await setUp(name);
      await using disk = await openPath(top, { services });
      expect(await disk.read(0, 65536)).toEqual(base);
    },
  );

  test('a regular file of that path comes before the volume', async () => {
    const { folder, top, services } = await setUp('lv');
    await writeFile(join(folder, 'lv'), content);
    await using disk = await openPath(top, { services });
    expect(await disk.read(0, CLUSTER)).toEqual(content);
  });

  test('a symbolic link of that path comes before the volume', async () => {
    const { folder, top, services } = await setUp('lv');
    await writeFile(join(folder, 'file'), content);
    await symlink('file', join(folder, 'lv'));
    await using disk = await openPath(top, { services });
    expect(await disk.read(0, CLUSTER)).toEqual(content);
  });

  test('a name that the manager does not know goes on to the files', async () => {
    const { top, services } = await setUp('unknown');
    expect((await diskErrorOf(() => openPath(top, { services }))).code).toBe('ERR_NOT_FOUND');
  });

  test('gate deny opens no volume either', async () => {
    const { top, services } = await setUp('lv');
    expect((await diskErrorOf(() => openPath(top, { services, gate: 'deny' }))).code).toBe(
      'ERR_BACKING_DENIED',
    );
  });

  test('an overlay on a volume finds its base in the same group', async () => {
    await using volumes = volumeMap({
      '/dev/vg0/top': () => new MemoryDisk(qcow2Image({ backing: '../images/base' })),
      '/dev/mapper/vg0-base': () => new MemoryDisk(base),
    });
    await using disk = await openVolume(volumes, '/dev/vg0/top');
    expect(await disk.read(0, 65536)).toEqual(base);
  });

  test('a loop through volumes is seen', async () => {
    await using volumes = volumeMap({
      '/dev/vg0/top': () => new MemoryDisk(qcow2Image({ backing: 'base' })),
      '/dev/vg0/base': () => new MemoryDisk(qcow2Image({ backing: '/dev/mapper/vg0-top' })),
    });
    expect((await diskErrorOf(() => openVolume(volumes, '/dev/vg0/top'))).code).toBe('ERR_BACKING_LOOP');
  });
});

describe('pushing format support on a volume', () => {
  test('an image in a volume is stacked on it', async () => {
    const volumeManager = volumeMap({ '/dev/vg0/base': () => new MemoryDisk(simple()) });
    const folder = await imageFolder(temp, { top: { backing: '/dev/vg0/base' } });
    await using disk = await openPath(join(folder, 'top'), { services: { volumeManager } });
    expect(await disk.read(0, CLUSTER)).toEqual(content);
  });

  test('a recorded raw is obeyed on a volume too', async () => {
    const volumeManager = volumeMap({ '/dev/vg0/base': () => new MemoryDisk(simple()) });
    const spec = { backing: '/dev/vg0/base', extensions: [backingFormat('raw')] };
    const folder = await imageFolder(temp, { top: spec });
    await using disk = await openPath(join(folder, 'top'), { services: { volumeManager } });
    expect(await disk.read(0, 3)).toEqual(Uint8Array.of(0x51, 0x46, 0x49));
  });

  test('an image in a volume that is opened itself has the volume in its diskType', async () => {
    await using volumes = volumeMap({ '/dev/vg0/disk': () => new MemoryDisk(simple()) });
    await using disk = await openVolume(volumes, '/dev/mapper/vg0-disk');
    expect(disk.diskType).toBe('QCOW-LVM2');
  });
});

/** Opens a volume, as a tool does that has no file. */
async function openVolume(volumeManager: VolumeManager, path: string): Promise<DiskModule> {
  const volume = await volumeManager.find(path);
  if (volume === undefined) throw new Error(`no volume ${path}`);
  return await createDisks({ formats: FORMATS, volumeManager }).open(volume.disk);
}
