import { describeDiskModule, diskErrorOf, pattern } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { type Client, theName } from '../src/index.ts';

const LOCATION = 'the-name://server/images/disk';
const content = pattern(256 * 1024);

/** A server in memory. */
const memory: Client = {
  size: async (location) => (location === LOCATION ? content.length : undefined),
  read: async (_location, offset, into) => into.set(content.subarray(offset, offset + into.length)),
};

describeDiskModule('the-name', {
  open: () => theName(memory).open(LOCATION, { writable: false }),
  expected: content,
});

test('an object that is not there gives ERR_NOT_FOUND', async () => {
  const driver = theName(memory);
  const missing = driver.open('the-name://server/other', { writable: false });
  expect((await diskErrorOf(() => missing.init())).code).toBe('ERR_NOT_FOUND');
  expect(await driver.kind('the-name://server/other')).toBe('missing');
  expect(await driver.kind(LOCATION)).toBe('file');
});

test('a relative name in an image leads to an object beside it', () => {
  expect(theName(memory).resolve(LOCATION, 'base')).toBe('the-name://server/images/base');
});

// Fails until `client` is written. Start a server here that holds the pattern.
test('an object of a real server is read', async () => {
  await using disk = theName().open(LOCATION, { writable: false });
  await disk.init();
  expect(await disk.read(0, content.length)).toEqual(content);
});
