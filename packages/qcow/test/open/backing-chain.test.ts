import { link, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { can } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf, spyDriver } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import { type ImageSpec, qcow2Image } from '../support/image-builder.ts';
import { backingFormat, imageFolder, openFilesBelow, openPath } from '../support/image-folder.ts';
import { infoOf } from '../support/open.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder();
const base = noise(65536, 1);

describe('loops', () => {
  test.for([
    ['an image that names itself', { top: { backing: 'top' } }],
    ['two images that name each other', { top: { backing: 'other' }, other: { backing: 'top' } }],
    [
      'a loop that begins below the top',
      { top: { backing: 'a' }, a: { backing: 'b' }, b: { backing: './a' } },
    ],
  ] as const)('%s end with an error', async ([, files]) => {
    const folder = await imageFolder(temp, files);
    const error = await diskErrorOf(() => openPath(join(folder, 'top')));
    expect(error.code).toBe('ERR_BACKING_LOOP');
    expect(await openFilesBelow(folder)).toEqual([]);
  });

  test('a loop through a symbolic link is seen', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'link' } });
    await symlink('top', join(folder, 'link'));
    expect((await diskErrorOf(() => openPath(join(folder, 'top')))).code).toBe('ERR_BACKING_LOOP');
  });

  test('a loop through a hard link is seen', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'twin' } });
    await link(join(folder, 'top'), join(folder, 'twin'));
    expect((await diskErrorOf(() => openPath(join(folder, 'top')))).code).toBe('ERR_BACKING_LOOP');
  });

  test('an image over itself as raw is a loop too', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'top', extensions: [backingFormat('raw')] } });
    expect((await diskErrorOf(() => openPath(join(folder, 'top')))).code).toBe('ERR_BACKING_LOOP');
  });

  test('two images with one base are no loop', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'a' }, a: { backing: 'base' }, base });
    await using first = await openPath(join(folder, 'top'));
    await using second = await openPath(join(folder, 'a'));
    expect(await first.read(0, 65536)).toEqual(await second.read(0, 65536));
  });
});

describe('depth', () => {
  const files: Record<string, ImageSpec | Uint8Array> = { 'layer-9': base };
  for (let index = 0; index < 9; index++) files[`layer-${index}`] = { backing: `layer-${index + 1}` };

  test('a chain as deep as maxChainDepth opens', async () => {
    const folder = await imageFolder(temp, files);
    const services = { limits: { maxChainDepth: 10 } };
    await using disk = await openPath(join(folder, 'layer-0'), { services });
    expect(await disk.read(0, 65536)).toEqual(base);
    expect(can(disk, 'chain') && disk.chain()).toHaveLength(10);
  });

  test('a deeper one is refused by the name of the limit, and nothing stays open', async () => {
    const folder = await imageFolder(temp, files);
    const services = { limits: { maxChainDepth: 9 } };
    const error = await diskErrorOf(() => openPath(join(folder, 'layer-0'), { services }));
    expect(error.code).toBe('ERR_LIMIT');
    expect(error.message).toContain('maxChainDepth');
    expect(await openFilesBelow(folder)).toEqual([]);
  });
});

describe('formats', () => {
  const inner = qcow2Image({ l2: { 0: 0x4000n }, at: [[0x4000, base.subarray(0, 4096)]] });

  test('a recorded raw is obeyed over a file that looks like qcow2', async () => {
    const folder = await imageFolder(temp, {
      top: { backing: 'inner', extensions: [backingFormat('raw')] },
      inner,
    });
    await using disk = await openPath(join(folder, 'top'));
    expect(await disk.read(0, 4)).toEqual(Uint8Array.of(0x51, 0x46, 0x49, 0xfb));
  });

  test('without a recorded format the base is probed', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'inner' }, inner });
    await using disk = await openPath(join(folder, 'top'));
    expect(await disk.read(0, 4096)).toEqual(base.slice(0, 4096));
  });

  test('a recorded qcow2 over a file that is none is an error of the base', async () => {
    const folder = await imageFolder(temp, {
      top: { backing: 'base', extensions: [backingFormat('qcow2')] },
      base,
    });
    const error = await diskErrorOf(() => openPath(join(folder, 'top')));
    expect(error).toMatchObject({ code: 'ERR_NOT_THIS_FORMAT', layer: join(folder, 'base') });
  });

  test('a recorded format that nobody registered is refused by name, and not probed', async () => {
    const folder = await imageFolder(temp, {
      top: { backing: 'base', extensions: [backingFormat('vhdx')] },
      base,
    });
    const error = await diskErrorOf(() => openPath(join(folder, 'top')));
    expect(error).toMatchObject({ code: 'ERR_UNKNOWN_FORMAT', layer: join(folder, 'top') });
    expect(error.message).toContain('vhdx');
    expect(await openFilesBelow(folder)).toEqual([]);
  });
});

describe('the folder of a name', () => {
  test('each image’s names are relative to its own folder', async () => {
    const folder = await imageFolder(temp, {
      top: { backing: 'sub/middle' },
      'sub/middle': { backing: 'base' },
      'sub/base': base,
      base: new Uint8Array(65536),
    });
    await using disk = await openPath(join(folder, 'top'));
    expect(await disk.read(0, 65536)).toEqual(base);
  });

  test('the folder is the one of the path as given, not the one behind a symbolic link', async () => {
    const folder = await imageFolder(temp, {
      'real/top': { backing: 'base' },
      'real/base': new Uint8Array(9),
      base,
    });
    await symlink('real/top', join(folder, 'link'));
    await using disk = await openPath(join(folder, 'link'));
    expect(await disk.read(0, 65536)).toEqual(base);
  });
});

describe('handles', () => {
  const chain = {
    top: { backing: 'middle' },
    middle: { backing: 'base', extensions: [backingFormat('raw')] },
    base,
  } as const;

  test('close closes every file of the chain', async () => {
    const folder = await imageFolder(temp, chain);
    const driver = spyDriver(fileDriver());
    const disk = await openPath(join(folder, 'top'), { services: { drivers: [driver] } });
    expect(await openFilesBelow(folder)).toHaveLength(3);
    await disk.close();
    expect(await openFilesBelow(folder)).toEqual([]);
    expect(driver).toMatchObject({ opened: 3, openDisks: 0 });
  });

  test('a base is opened for reading only', async () => {
    const folder = await imageFolder(temp, chain);
    const driver = spyDriver(fileDriver());
    await using disk = await openPath(join(folder, 'top'), { services: { drivers: [driver] } });
    const opens = driver.calls.filter(({ call }) => call === 'open');
    expect(opens.map(({ writable }) => writable)).toEqual([false, false, false]);
    expect(disk.writable).toBe(false);
  });

  test.for([
    ['a corrupt top', { ...chain, top: { backing: 'middle', header: { clusterBits: 99 } } }, 'ERR_CORRUPT'],
    ['a corrupt middle', { ...chain, middle: { backing: 'base', header: { l1Size: 0 } } }, 'ERR_CORRUPT'],
    ['a truncated middle', { ...chain, middle: { fileSize: 60 } }, 'ERR_TRUNCATED'],
    [
      'a base with an unknown feature',
      { ...chain, middle: { backing: 'base' }, base: { header: { incompatibleFeatures: 1n << 40n } } },
      'ERR_UNSUPPORTED',
    ],
    ['a missing base', { top: chain.top, middle: chain.middle }, 'ERR_NOT_FOUND'],
    ['a denied base', { top: chain.top, middle: { backing: '/etc/passwd' } }, 'ERR_BACKING_DENIED'],
  ] as const)('%s leaves nothing open', async ([, files, code]) => {
    const folder = await imageFolder(temp, files);
    const driver = spyDriver(fileDriver());
    const error = await diskErrorOf(() => openPath(join(folder, 'top'), { services: { drivers: [driver] } }));
    expect(error.code).toBe(code);
    expect(driver.openPaths).toEqual([]);
    expect(await openFilesBelow(folder)).toEqual([]);
  });

  test('an error of a base names the base', async () => {
    const folder = await imageFolder(temp, { ...chain, middle: { header: { refcountOrder: 9 } } });
    const error = await diskErrorOf(() => openPath(join(folder, 'top')));
    expect(error).toMatchObject({ format: 'qcow2', layer: join(folder, 'middle'), offset: 96 });
  });

  test('an aborted open leaves nothing open', async () => {
    const folder = await imageFolder(temp, chain);
    const signal = AbortSignal.abort();
    expect((await diskErrorOf(() => openPath(join(folder, 'top'), { signal }))).code).toBe('ERR_ABORTED');
    expect(await openFilesBelow(folder)).toEqual([]);
  });

  test('a folder in place of an image is refused', async () => {
    const folder = await imageFolder(temp, {});
    await mkdir(join(folder, 'top'));
    expect((await diskErrorOf(() => openPath(join(folder, 'top')))).code).toBe('ERR_ARGUMENT');
  });
});

test('info says what the image says of its base', async () => {
  const folder = await imageFolder(temp, {
    top: { backing: 'base', extensions: [backingFormat('raw')] },
    base,
  });
  await using disk = await openPath(join(folder, 'top'));
  expect(infoOf(disk).backing).toEqual({ name: 'base', format: 'raw' });
});
