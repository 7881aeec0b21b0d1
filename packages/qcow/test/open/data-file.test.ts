import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf, spyDriver } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import { COPIED, type ImageSpec, standard, ZERO_FLAG } from '../support/image-builder.ts';
import { imageFolder, openFilesBelow, openPath } from '../support/image-folder.ts';
import { infoOf } from '../support/open.ts';
import { tempFolder } from '../support/temp-folder.ts';

// Images with an external data file, made by hand. Images of qemu are in matrix/data-files.test.ts.

const temp = tempFolder();
const CLUSTER = 4096;
const DATA_FILE = 0x44415441;
const data = noise(8 * CLUSTER, 1);

/** An image that names its data file. Guest clusters 0 and 2 are allocated, 3 is zero, 1 is unallocated. */
function image(name: string | Uint8Array, more: ImageSpec = {}): ImageSpec {
  return {
    size: 8 * CLUSTER,
    l2: { 0: COPIED, 2: standard(2 * CLUSTER), 3: standard(3 * CLUSTER) | ZERO_FLAG },
    ...more,
    header: { incompatibleFeatures: 4n, ...more.header },
    extensions: [{ type: DATA_FILE, data: Buffer.from(name) }, ...(more.extensions ?? [])],
  };
}

async function folderWith(top: ImageSpec, files: Readonly<Record<string, Uint8Array | ImageSpec>> = {}) {
  const parent = await imageFolder(temp, {
    'images/top': top,
    'images/data': data,
    'outside/data': data,
    ...files,
  });
  return { parent, folder: join(parent, 'images'), top: join(parent, 'images/top') };
}

describe('where a cluster is', () => {
  test('host offset 0 with the COPIED bit is guest cluster 0, and without it nowhere', async () => {
    const { top } = await folderWith(image('data'));
    await using disk = await openPath(top);
    expect(await disk.read(0, CLUSTER)).toEqual(data.slice(0, CLUSTER));
    const without = await folderWith(image('data', { l2: { 0: 0n } }));
    await using empty = await openPath(without.top);
    expect(await empty.read(0, CLUSTER)).toEqual(new Uint8Array(CLUSTER));
  });

  test('a zero cluster is zero, whatever the data file has there', async () => {
    const { top } = await folderWith(
      image('data', { l2: { 0: COPIED | ZERO_FLAG, 3: standard(3 * CLUSTER) | ZERO_FLAG } }),
    );
    await using disk = await openPath(top);
    expect(await disk.read(0, 4 * CLUSTER)).toEqual(new Uint8Array(4 * CLUSTER));
  });

  test('sub-clusters of guest cluster 0 are told apart by their bits', async () => {
    const spec = image('data', {
      clusterBits: 14,
      size: 16_384,
      l2: { 0: COPIED },
      bitmaps: { 0: 0b101n | (0b010n << 32n) },
      header: { incompatibleFeatures: 4n | 16n },
    });
    const { top } = await folderWith(spec);
    await using disk = await openPath(top);
    const expected = new Uint8Array(2048);
    expected.set(data.subarray(0, 512));
    expected.set(data.subarray(1024, 1536), 1024);
    expect(await disk.read(0, 2048)).toEqual(expected);
  });

  test.each([
    ['of another place', { 2: standard(5 * CLUSTER) }],
    ['of guest cluster 0', { 2: COPIED }],
  ] as const)('a cluster %s is corrupt', async (_, l2) => {
    const { top } = await folderWith(image('data', { l2 }));
    await using disk = await openPath(top);
    expect(await diskErrorOf(() => disk.read(2 * CLUSTER, 1))).toMatchObject({
      code: 'ERR_CORRUPT',
      layer: top,
      offset: 3 * CLUSTER + 2 * 8,
    });
  });

  test.each([8, 16])('a compressed cluster in an L2 entry of %i bytes is corrupt', async (entryBytes) => {
    const extended = { clusterBits: 14, bitmaps: { 0: 0n }, header: { incompatibleFeatures: 4n | 16n } };
    const more = entryBytes === 16 ? extended : {};
    const { top } = await folderWith(image('data', { ...more, l2: { 0: 1n << 62n } }));
    await using disk = await openPath(top);
    const error = await diskErrorOf(() => disk.read(0, 1));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow2' });
    expect(error.reason).toContain('compressed');
  });

  test('a cluster past the end of the data file is lost, and one that is cut short is zero from there on', async () => {
    const { top, folder } = await folderWith(image('data'));
    await writeFile(join(folder, 'data'), data.subarray(0, 2 * CLUSTER + 700));
    await using disk = await openPath(top);
    const expected = new Uint8Array(CLUSTER);
    expected.set(data.subarray(2 * CLUSTER, 2 * CLUSTER + 700));
    expect(await disk.read(2 * CLUSTER, CLUSTER)).toEqual(expected);
    await writeFile(join(folder, 'data'), data.subarray(0, 2 * CLUSTER));
    await using shorter = await openPath(top);
    expect((await diskErrorOf(() => shorter.read(2 * CLUSTER, 1))).code).toBe('ERR_TRUNCATED');
  });

  test('without the feature bit the name is ignored, and the clusters are in the image', async () => {
    const content = noise(CLUSTER, 5);
    const spec = image('/nowhere', {
      l2: { 0: standard(4 * CLUSTER) },
      at: [[4 * CLUSTER, content]],
      header: { incompatibleFeatures: 0n },
    });
    const { top } = await folderWith(spec);
    await using disk = await openPath(top);
    expect(await disk.read(0, CLUSTER)).toEqual(content);
    expect(infoOf(disk).dataFile).toBeUndefined();
  });
});

describe('the gate', () => {
  const absolute = async () => {
    const { parent } = await folderWith(image('data'));
    const { top } = await folderWith(image(join(parent, 'outside/data')));
    return { top, outside: join(parent, 'outside') };
  };

  test('a relative name is looked up in the folder of the image', async () => {
    const { top } = await folderWith(image('./data'));
    await using disk = await openPath(top);
    expect(await disk.read(0, 8)).toEqual(data.slice(0, 8));
    expect(infoOf(disk).dataFile).toBe('./data');
  });

  test('a file outside of the folder is denied, and opened when the caller allows its folder', async () => {
    const { top, outside } = await absolute();
    expect(await diskErrorOf(() => openPath(top))).toMatchObject({
      code: 'ERR_BACKING_DENIED',
      layer: top,
      offset: 120,
    });
    await using disk = await openPath(top, { allowBacking: [outside] });
    expect(await disk.read(0, 8)).toEqual(data.slice(0, 8));
  });

  test.each([
    '../outside/data',
    'json:{"driver":"file","filename":"data"}',
    'nbd:localhost:1',
    'file:data',
    'data\0',
  ])('the name %j is denied', async (name) => {
    const { top } = await folderWith(image(name));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_DENIED');
  });

  test('a symbolic link that leads outside is denied', async () => {
    const { top, folder, parent } = await folderWith(image('link'));
    await symlink(join(parent, 'outside/data'), join(folder, 'link'));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_DENIED');
  });

  test("gate 'deny' opens no data file", async () => {
    const { top } = await folderWith(image('data'));
    expect((await diskErrorOf(() => openPath(top, { gate: 'deny' }))).code).toBe('ERR_BACKING_DENIED');
  });

  test('a data file that is missing is not found, at the byte of its name', async () => {
    const { top } = await folderWith(image('nothing'));
    expect(await diskErrorOf(() => openPath(top))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      layer: top,
      offset: 120,
    });
  });

  test('an image that is its own data file is a loop', async () => {
    const { top } = await folderWith(image('top'));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_LOOP');
  });

  test('metadataOnly opens nothing but the image, and its data is an error', async () => {
    const { top } = await folderWith(image('data'));
    const driver = spyDriver(fileDriver());
    await using disk = await openPath(top, { metadataOnly: true, services: { drivers: [driver] } });
    expect(infoOf(disk).dataFile).toBe('data');
    expect(driver.opened).toBe(1);
    expect((await diskErrorOf(() => disk.read(0, 1))).code).toBe('ERR_BACKING_NOT_OPEN');
    expect(driver.opened).toBe(1);
  });
});

describe('the life of a data file', () => {
  test('it is opened for reading alone, and closed with the disk', async () => {
    const { top, folder } = await folderWith(image('data'));
    const driver = spyDriver(fileDriver());
    const disk = await openPath(top, { services: { drivers: [driver] } });
    expect(await openFilesBelow(folder)).toHaveLength(2);
    expect(driver.calls.filter(({ writable }) => writable)).toEqual([]);
    await disk.close();
    expect(driver.openDisks).toBe(0);
  });

  test('it is closed when the base cannot be opened', async () => {
    const { top, parent } = await folderWith(image('data', { backing: 'nothing' }));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_NOT_FOUND');
    expect(await openFilesBelow(parent)).toEqual([]);
  });

  test('unallocated clusters come from the base, and not from the data file', async () => {
    const base = noise(8 * CLUSTER, 9);
    const { top } = await folderWith(image('data', { backing: 'base' }), { 'images/base': base });
    await using disk = await openPath(top);
    expect(await disk.read(CLUSTER, CLUSTER)).toEqual(base.slice(CLUSTER, 2 * CLUSTER));
    expect(await disk.read(2 * CLUSTER, CLUSTER)).toEqual(data.slice(2 * CLUSTER, 3 * CLUSTER));
    expect(await readFile(top)).toHaveLength(4 * CLUSTER);
  });
});
