import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fileIdentity, sharesStorage } from '../../../src/node/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'shares-storage-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
writeFileSync(at('a'), 'a');
writeFileSync(at('b'), 'a');
linkSync(at('a'), at('hard'));
symlinkSync('a', at('soft'));

test.each(['a', 'hard', 'soft'])('%s is the same file as a', (name) => {
  expect(sharesStorage(at('a'), at(name))).toBe(true);
  expect(sharesStorage(at(name), at('a'))).toBe(true);
  expect(fileIdentity(at(name))).toBe(fileIdentity(at('a')));
});

test('files of the same content do not share bytes', () => {
  expect(sharesStorage(at('a'), at('b'))).toBe(false);
  expect(fileIdentity(at('a'))).not.toBe(fileIdentity(at('b')));
});

test('nothing shares bytes with a path that leads nowhere, not even itself', () => {
  expect(sharesStorage(at('a'), at('none'))).toBe(false);
  expect(sharesStorage(at('none'), at('none'))).toBe(false);
});
