import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileDisk, fileDriver } from '../../../src/node/index.ts';
import { diskErrorOf, pattern } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
const driver = fileDriver();
const at = (name: string): string => join(folder, name);

mkdirSync(at('sub'));
writeFileSync(at('file'), pattern(100));
writeFileSync(at('sub/file'), pattern(100));
linkSync(at('file'), at('sub/hard'));
symlinkSync('file', at('link'));
symlinkSync('link', at('link-to-link'));
symlinkSync('sub', at('folder-link'));
symlinkSync('loop-b', at('loop-a'));
symlinkSync('loop-a', at('loop-b'));
symlinkSync('nowhere', at('dangling'));

test('is the driver of plain paths and of the scheme `file`', () => {
  expect(driver.schemes).toEqual(['file']);
});

test.for([
  ['file', 'file'],
  ['folder-link/file', 'file'],
  ['sub', 'folder'],
  ['link', 'symlink'],
  ['folder-link', 'symlink'],
  ['dangling', 'symlink'],
  ['loop-a', 'symlink'],
  ['nothing', 'missing'],
  ['nothing/at/all', 'missing'],
  ['file/below', 'missing'],
  ['loop-a/below', 'missing'],
  ['x'.repeat(300), 'missing'],
] as const)('the kind of %s is %s', async ([name, kind]) => {
  expect(await driver.kind(at(name))).toBe(kind);
});

test('the kind of a character device is other', async () => {
  expect(await driver.kind('/dev/null')).toBe('other');
});

test.for([
  ['file', 'file'],
  ['link', 'file'],
  ['link-to-link', 'file'],
  ['folder-link/file', 'sub/file'],
  ['folder-link/../file', 'file'],
  ['sub/./../sub//file', 'sub/file'],
  ['nothing', undefined],
  ['nothing/../file', undefined],
  ['file/..', undefined],
  ['loop-a', undefined],
  ['dangling', undefined],
  ['x'.repeat(300), undefined],
] as const)('the canonical path of %s is %s', async ([name, canonical]) => {
  const wanted = canonical === undefined ? undefined : at(canonical);
  expect(await driver.canonical(`${folder}/${name}`)).toBe(wanted);
});

test.for(['link', 'link-to-link', 'sub/hard', './file', 'folder-link/../file', 'folder-link/hard'])(
  '%s is the same storage as the file',
  async (name) => {
    expect(await driver.identity(`${folder}/${name}`)).toBe(await driver.identity(at('file')));
  },
);

test.for(['sub/file', 'sub', 'nothing', 'dangling'])('%s is another storage than the file', async (name) => {
  expect(await driver.identity(at(name))).not.toBe(await driver.identity(at('file')));
});

test('opens a FileDisk for reading, and for writing when asked to', async () => {
  await using reader = driver.open(at('file'), { writable: false });
  await using writer = driver.open(at('file'), { writable: true });
  await reader.init();
  await writer.init();
  expect(reader).toBeInstanceOf(FileDisk);
  expect([reader.writable, writer.writable]).toEqual([false, true]);
  expect(await reader.read(0, 100)).toEqual(pattern(100));
});

test('lists the names in a folder, links as they are, and no more than are allowed', async () => {
  const list = driver.list ?? expect.fail('the driver lists nothing');
  mkdirSync(at('bands'));
  expect(await list(at('bands'), 0)).toEqual([]);
  for (const name of ['b', 'a', '10', 'é']) writeFileSync(at(`bands/${name}`), '');
  symlinkSync('../nowhere', at('bands/link'));
  mkdirSync(at('bands/sub'));
  const names = ['10', 'a', 'b', 'link', 'sub', 'é'];
  expect(await list(at('bands'), 6)).toEqual(names);
  expect(await list(`file:${at('bands')}`, 6)).toEqual(names);
  const error = await diskErrorOf(() => list(at('bands'), 5));
  expect(error).toMatchObject({ code: 'ERR_LIMIT', layer: at('bands') });
  expect(error.reason).toContain('6 names or more, 5 are allowed');
  writeFileSync(Buffer.concat([Buffer.from(at('bands/')), Buffer.of(0x66, 0xff)]), '');
  expect(await list(at('bands'), 7)).toEqual(names);
  expect((await diskErrorOf(() => list(at('bands'), 6))).code).toBe('ERR_LIMIT');
  expect((await diskErrorOf(() => list(at('nothing'), 9))).code).toBe('ERR_NOT_FOUND');
  expect((await diskErrorOf(() => list(at('file'), 9))).code).toBe('ERR_NOT_FOUND');
});
