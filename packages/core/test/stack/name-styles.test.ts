import path from 'node:path';
import { expect, test } from 'vitest';
import type { NameStyle } from '../../src/contracts/named-disk.ts';
import { fileLocations } from '../../src/node/file/file-locations.ts';
import { posixNames, urlNames } from '../../src/stack/location-names.ts';
import { pathOfUrl, translateName, translateReference } from '../../src/stack/name-styles.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import { plain } from '../support/overlay-format.ts';
import { type SplitHeader, split, splitImage } from '../support/split-format.ts';
import { filled, world } from '../support/stack-world.ts';

type Names = SplitHeader['extents'];

test.for<[string, 'posix' | 'win32', NameStyle, string]>([
  ['..\\parents\\base.vhdx', 'win32', 'posix', '../parents/base.vhdx'],
  ['.\\base.vhdx', 'win32', 'url', './base.vhdx'],
  ['a/b\\c', 'win32', 'posix', 'a/b/c'],
  ['C:\\x\\base.vhdx', 'win32', 'win32', 'C:\\x\\base.vhdx'],
  ['/vm/base', 'posix', 'posix', '/vm/base'],
  ['a\\b', 'posix', 'posix', 'a\\b'],
  ['json:{}', 'posix', 'posix', './json:{}'],
  ['a/b', 'posix', 'win32', 'a/b'],
  ['a b', 'posix', 'url', 'a b'],
  ['s3:x', 'posix', 'url', './s3:x'],
])('%j of %s is for %s %j', ([name, from, to, expected]) => {
  expect(translateName(name, from, to)).toBe(expected);
});

test.for<[string, 'posix' | 'win32', NameStyle, RegExp]>([
  ['C:\\x\\base.vhdx', 'win32', 'posix', /with a drive/],
  ['c:base.vhdx', 'win32', 'url', /with a drive/],
  ['\\\\host\\share\\base.vhdx', 'win32', 'posix', /absolute Windows path/],
  ['\\\\?\\C:\\base.vhdx', 'win32', 'posix', /absolute Windows path/],
  ['\\base.vhdx', 'win32', 'posix', /absolute Windows path/],
  ['//host/share/x', 'win32', 'url', /absolute Windows path/],
  ['base.vhdx:stream', 'win32', 'posix', /stream/],
  ['nbd:unix', 'win32', 'posix', /stream/],
  ['/vm/base', 'posix', 'win32', /absolute/],
  ['/vm/base', 'posix', 'url', /absolute/],
  ['a\\..\\b', 'posix', 'win32', /Windows file names cannot have/],
  ['a:b', 'posix', 'win32', /Windows file names cannot have/],
])('%j of %s is denied for %s', async ([name, from, to, reason]) => {
  const error = await diskErrorOf(async () => translateName(name, from, to));
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', reason: expect.stringMatching(reason) });
});

test('a relative reference of a URL has its escapes resolved, once', async () => {
  expect(translateReference('a%20b/%2e%2e/c%2520', 'posix')).toBe('a b/../c%20');
  expect(translateReference('a%20b', 'url')).toBe('a b');
  for (const bad of ['/a', '//host/a', 'a?b', 'a#b', 'a%2fb', 'a%00', '%ff', '%'])
    expect((await diskErrorOf(async () => translateReference(bad, 'posix'))).code).toBe('ERR_BACKING_DENIED');
  expect((await diskErrorOf(async () => translateReference('a%5cb', 'win32'))).code).toBe(
    'ERR_BACKING_DENIED',
  );
});

test('a URL of a scheme with paths is a path', async () => {
  expect(pathOfUrl('file:///Volumes/my%20disk', 'posix')).toBe('file:/Volumes/my disk');
  expect(pathOfUrl('file://localhost/a', 'posix')).toBe('file:/a');
  expect(pathOfUrl('file:///C:/vm/a.vhd', 'win32')).toBe('file:C:/vm/a.vhd');
  for (const bad of ['file://host/a', 'file:', 'file:///a%2f..%2fb', 'file:///a?b', 'file:///a%00'])
    expect((await diskErrorOf(async () => pathOfUrl(bad, 'posix'))).code).toBe('ERR_BACKING_DENIED');
});

test('the last part of a location, by the rules of each driver', () => {
  expect(posixNames('memory').fileName?.('memory:/a/b c')).toBe('b c');
  expect(urlNames('https').fileName?.('https://host/a/b%20c?x#y')).toBe('b c');
  expect(urlNames('https').fileName?.('https://host/100%')).toBeUndefined();
  expect(fileLocations(path.win32).fileName?.('C:\\a\\b.E01')).toBe('b.E01');
  expect(fileLocations(path.posix).fileName?.('file:/a/b\\c')).toBe('b\\c');
});

const OUTSIDE = { '/etc/secret': filled(9), '/vm/base': filled(7) };

/** Opens an image with one extent of this name. */
async function opened(extent: NonNullable<Names>[number], options: { allowSchemes?: string[] } = {}) {
  const { disks, driver } = world(
    { '/vm/disk': splitImage({ extents: [extent] }), '/vm/link': { symlink: '/etc' }, ...OUTSIDE },
    { formats: [split, plain] },
  );
  const open = disks.open('/vm/disk', options);
  return { open, driver };
}

test.for<[string, NameStyle]>([
  ['..\\..\\etc\\secret', 'win32'],
  ['..\\etc\\secret', 'win32'],
  ['link\\secret', 'win32'],
  ['\\etc\\secret', 'win32'],
  ['\\\\etc\\secret', 'win32'],
  ['C:\\etc\\secret', 'win32'],
  ['base\0', 'win32'],
  ['memory:base', 'win32'],
  ['../etc/secret', 'posix'],
  ['/etc/secret', 'posix'],
  ['link/secret', 'posix'],
  ['base\0', 'posix'],
  ['%2e%2e/etc/secret', 'url'],
  ['link/secret', 'url'],
  ['/etc/secret', 'url'],
  ['memory:/vm/base', 'url'],
  ['file:///etc/secret', 'url'],
  ['base%00', 'url'],
])('%j of style %s opens nothing', async ([name, style]) => {
  const { open, driver } = await opened([name, style]);
  const error = await diskErrorOf(() => open);
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', layer: '/vm/disk', offset: 4 });
  expect(driver.opened).toBe(1);
  expect(driver.openDisks).toBe(0);
});

test.for<[string, NameStyle]>([
  ['.\\sub\\..\\..\\vm\\base', 'win32'],
  ['./base', 'posix'],
  ['b%61se', 'url'],
])('%j of style %s opens the file beside the image', async ([name, style]) => {
  const entries = {
    '/vm/disk': splitImage({ extents: [[name, style]] }),
    '/vm/sub/x': filled(1),
    ...OUTSIDE,
  };
  const { disks } = world(entries, { formats: [split, plain] });
  await using disk = await disks.open('/vm/disk');
  expect(await disk.read(0, 1)).toEqual(Uint8Array.of(7));
});

test('a URL reaches a driver whose scheme the caller allows, and no folder by that', async () => {
  const allowed = await opened(['memory:/etc/secret', 'url'], { allowSchemes: ['memory'] });
  expect((await diskErrorOf(() => allowed.open)).code).toBe('ERR_BACKING_DENIED');
  const { open } = await opened(['memory:/vm/b%61se', 'url'], { allowSchemes: ['memory'] });
  await using disk = await open;
  expect(await disk.read(0, 1)).toEqual(Uint8Array.of(7));
});

test('a name with a colon is no scheme where the image says that it is a path', async () => {
  const entries = { '/vm/disk': splitImage({ extents: [['memory:x', 'posix']] }), '/vm/memory:x': filled(4) };
  const { disks } = world(entries, { formats: [split, plain] });
  await using disk = await disks.open('/vm/disk');
  expect(await disk.read(0, 1)).toEqual(Uint8Array.of(4));
});
