import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import { qcow2Image } from '../support/image-builder.ts';
import { imageFolder, openPath } from '../support/image-folder.ts';
import { infoOf, openBytes } from '../support/open.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder();
const base = noise(4096, 1);
const secret = noise(4096, 2);

/** A folder with an image that names `backing`, a base beside it, and a folder with a secret next door. */
async function setUp(
  backing: string | Uint8Array,
): Promise<{ top: string; folder: string; outside: string }> {
  const parent = await imageFolder(temp, {
    'images/base': base,
    'images/sub/base': base,
    'images-not/secret': secret,
    'images/top': { backing },
  });
  return {
    top: join(parent, 'images/top'),
    folder: join(parent, 'images'),
    outside: join(parent, 'images-not'),
  };
}

describe('files below the folder of the image', () => {
  test.for(['base', './base', 'sub/base', 'sub/../base', 'sub/./../sub//base', '../images/base'])(
    'a name like %s is opened',
    async (name) => {
      const { top } = await setUp(name);
      await using disk = await openPath(top);
      expect(await disk.read(0, 4096)).toEqual(base);
    },
  );

  test('an absolute name below the folder is opened, and not glued to the folder', async () => {
    const { top, folder } = await setUp('base');
    await writeFile(top, qcow2Image({ backing: join(folder, 'sub/base') }));
    await using disk = await openPath(top);
    expect(await disk.read(0, 4096)).toEqual(base);
  });

  test('an image that was opened by a relative path has its folder too', async () => {
    const { top } = await setUp('base');
    const relative = join(
      ...process
        .cwd()
        .split('/')
        .slice(1)
        .map(() => '..'),
      top,
    );
    await using disk = await openPath(relative);
    expect(await disk.read(0, 16)).toEqual(base.slice(0, 16));
  });
});

describe('files elsewhere', () => {
  test('an absolute name is denied, with the option that would allow it', async () => {
    const { outside } = await setUp('base');
    const { top } = await setUp(join(outside, 'secret'));
    const error = await diskErrorOf(() => openPath(top));
    expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', layer: top, offset: 120 });
    expect(error.message).toContain('allowBacking');
    expect(error.message).toContain('secret');
  });

  test('allowBacking opens them', async () => {
    const { outside } = await setUp('base');
    const { top } = await setUp(join(outside, 'secret'));
    await using disk = await openPath(top, { allowBacking: [outside] });
    expect(await disk.read(0, 4096)).toEqual(secret);
  });

  test('a name with .. that leaves the folder is denied', async () => {
    const { top } = await setUp('../images-not/secret');
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_DENIED');
  });

  test('a folder whose name only begins alike is outside', async () => {
    const { top, outside } = await setUp('base');
    expect(outside.startsWith(join(top, '..'))).toBe(true);
    const other = await setUp(join(outside, 'secret'));
    const error = await diskErrorOf(() => openPath(other.top, { allowBacking: [join(top, '..')] }));
    expect(error.code).toBe('ERR_BACKING_DENIED');
  });

  test('a symbolic link to a file outside is denied', async () => {
    const { top, folder, outside } = await setUp('link');
    await symlink(join(outside, 'secret'), join(folder, 'link'));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_DENIED');
    await using disk = await openPath(top, { allowBacking: [outside] });
    expect(await disk.read(0, 4096)).toEqual(secret);
  });

  test('a symbolic link to a folder outside is denied', async () => {
    const { top, folder, outside } = await setUp('door/secret');
    await symlink(outside, join(folder, 'door'));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_DENIED');
  });

  test('a missing file behind a symbolic link outside is denied, so nobody learns what is there', async () => {
    const { top, folder, outside } = await setUp('door/nothing');
    await symlink(outside, join(folder, 'door'));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_BACKING_DENIED');
  });

  test('a symbolic link within the folder is followed', async () => {
    const { top, folder } = await setUp('link');
    await symlink('sub/base', join(folder, 'link'));
    await using disk = await openPath(top);
    expect(await disk.read(0, 4096)).toEqual(base);
  });

  test('a second hop gets no roots of its own', async () => {
    const { outside } = await setUp('base');
    const parent = await imageFolder(temp, {
      'images/top': { backing: '../allowed/middle' },
      'allowed/middle': { backing: '../private/base' },
      'private/base': secret,
    });
    const top = join(parent, 'images/top');
    const allowBacking = [join(parent, 'allowed'), outside];
    const error = await diskErrorOf(() => openPath(top, { allowBacking }));
    expect(error.code).toBe('ERR_BACKING_DENIED');
    expect(basename(error.layer ?? '')).toBe('middle');
  });
});

describe('names', () => {
  test.for([
    ['json:{"driver":"file","filename":"base"}'],
    ['nbd:localhost:10809'],
    ['nbd+unix:///x?socket=base'],
    ['http://localhost/base'],
    ['file:base'],
    ['FILE:base'],
    ['fat:rw:.'],
  ] as const)('%s has a scheme, and is denied', async ([name]) => {
    const { top } = await setUp(name);
    const error = await diskErrorOf(() => openPath(top));
    expect(error.code).toBe('ERR_BACKING_DENIED');
    expect(error.message).toContain('scheme');
  });

  test('a scheme is opened when the caller allows it and a driver has it', async () => {
    const { top } = await setUp('file:base');
    await using disk = await openPath(top, { allowSchemes: ['file'] });
    expect(await disk.read(0, 4096)).toEqual(base);
  });

  test('an allowed scheme is held to the same folders', async () => {
    const { top } = await setUp('file:../images-not/secret');
    expect((await diskErrorOf(() => openPath(top, { allowSchemes: ['file'] }))).code).toBe(
      'ERR_BACKING_DENIED',
    );
  });

  test('an allowed scheme without a driver is denied', async () => {
    const { top } = await setUp('nbd:localhost:1');
    expect((await diskErrorOf(() => openPath(top, { allowSchemes: ['nbd'] }))).code).toBe(
      'ERR_BACKING_DENIED',
    );
  });

  test('a colon behind a slash is no scheme', async () => {
    const { top, folder } = await setUp('./a:b');
    await symlink('base', join(folder, 'a:b'));
    await using disk = await openPath(top);
    expect(await disk.read(0, 4096)).toEqual(base);
  });

  test.for([
    ['a NUL', 'base\0'],
    ['a NUL within', '../images-not/secret\0/base'],
    ['bytes that are not UTF-8', Uint8Array.of(0x62, 0xff, 0xfe)],
    ['an overlong slash', Uint8Array.of(0x2e, 0x2e, 0xc0, 0xaf, 0x62)],
  ] as const)('%s is denied', async ([, name]) => {
    const { top } = await setUp(name);
    const error = await diskErrorOf(() => openPath(top));
    expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', offset: 120 });
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  test('control characters of a name are harmless in the message', async () => {
    const { top } = await setUp('\u001b[2J\nx');
    const error = await diskErrorOf(() => openPath(top));
    expect(error.code).toBe('ERR_NOT_FOUND');
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  test('a name of no bytes is no base', async () => {
    const parent = await imageFolder(temp, { top: { backing: 'x', header: { backingFileSize: 0 } } });
    await using disk = await openPath(join(parent, 'top'));
    expect(infoOf(disk).backing).toBeUndefined();
    expect(await disk.read(0, 9)).toEqual(new Uint8Array(9));
  });

  test('a missing file is not found, at the byte of its name', async () => {
    const { top } = await setUp('nothing/here');
    const error = await diskErrorOf(() => openPath(top));
    expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', layer: top, offset: 120 });
    expect(error.message).toContain('nothing/here');
  });

  test('a folder is no base', async () => {
    const { top, folder } = await setUp('dir');
    await mkdir(join(folder, 'dir'));
    expect((await diskErrorOf(() => openPath(top))).code).toBe('ERR_ARGUMENT');
  });
});

describe('what the caller asks for', () => {
  test('gate deny opens nothing that an image names', async () => {
    const { top } = await setUp('base');
    const error = await diskErrorOf(() => openPath(top, { gate: 'deny' }));
    expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', layer: top, offset: 120 });
  });

  test('gate deny opens an image that names nothing', async () => {
    const parent = await imageFolder(temp, { alone: {} });
    await using disk = await openPath(join(parent, 'alone'), { gate: 'deny' });
    expect(disk.size()).toBe(65536);
  });

  test('with metadataOnly nothing is opened, and bytes of the base are an error', async () => {
    const parent = await imageFolder(temp, {
      top: { backing: '/etc/shadow', l2: { 1: 0x4000n }, at: [[0x4000, base]] },
    });
    await using disk = await openPath(join(parent, 'top'), { metadataOnly: true });
    expect(infoOf(disk).backingFileName).toBe('/etc/shadow');
    expect(await disk.read(4096, 4096)).toEqual(base);
    expect((await diskErrorOf(() => disk.read(0, 1))).code).toBe('ERR_BACKING_NOT_OPEN');
    expect((await diskErrorOf(() => disk.read(4000, 4096))).code).toBe('ERR_BACKING_NOT_OPEN');
  });

  test('an image without a path has no folder for relative names', async () => {
    const error = await diskErrorOf(() => openBytes(qcow2Image({ backing: 'base' })));
    expect(error.code).toBe('ERR_BACKING_DENIED');
  });
});
