import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Binding } from '../../src/bindings/binding.ts';
import { EACCES, EAGAIN, EBADF, EINTR } from '../../src/calls/errno.ts';
import { ofdLocks } from '../../src/calls/fcntl.ts';
import { openHost } from '../../src/index.ts';
import { tempFolder } from '../support/temp-folder.ts';

const { locks } = await openHost();
const ENOLCK = 37;

/** A C library that knows `fcntl` alone, which fails with these errors in their order, and then succeeds. */
function binding(...errors: readonly number[]): Binding {
  const left = [...errors];
  let last = 0;
  const fcntl = (fd: number): number => {
    last = fd < 0 ? EBADF : (left.shift() ?? 0);
    return last === 0 ? 0 : -1;
  };
  return { call: (name) => (name === 'fcntl' ? (fcntl as never) : undefined), errno: () => last };
}

test.for([
  ['no error', [], 'taken'],
  ['EAGAIN', [EAGAIN], 'refused'],
  ['EACCES', [EACCES], 'refused'],
  ['ENOLCK', [ENOLCK], undefined],
  ['EINTR, and then no error', [EINTR, EINTR], 'taken'],
] as const)('the answer to %s', ([, errors, answer]) => {
  expect(ofdLocks(binding(...errors))?.share(3, 100)).toBe(answer);
});

test('a binding that does not fail for a descriptor that is not open is not used', () => {
  expect(ofdLocks({ call: () => (() => 0) as never, errno: () => 0 })).toBeUndefined();
  expect(ofdLocks({ call: () => undefined, errno: () => EBADF })).toBeUndefined();
});

test.runIf(locks !== undefined)('two descriptors share bytes, and see the locks of each other', () => {
  const path = join(tempFolder(), 'file');
  writeFileSync(path, '');
  const [one, two] = [openSync(path, 'r'), openSync(path, 'r+')];
  expect(locks?.share(one, 2 ** 40)).toBe('taken'); // past the end of the file
  expect(locks?.share(two, 2 ** 40)).toBe('taken');
  expect(locks?.isLocked(one, 2 ** 40, 1)).toBe(true);
  expect(locks?.isLocked(one, 0, 2 ** 40)).toBe(false);
  locks?.unlock(two, 0, 2 ** 41);
  expect(locks?.isLocked(one, 0, 2 ** 41)).toBe(false); // one's own do not count
  expect(locks?.isLocked(two, 0, 2 ** 41)).toBe(true);
  closeSync(one);
  expect(locks?.isLocked(two, 0, 2 ** 41)).toBe(false);
  closeSync(two);
  const writing = openSync(path, 'w');
  expect(locks?.share(writing, 100)).toBeUndefined();
  closeSync(writing);
});
