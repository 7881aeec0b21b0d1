import { expect, test } from 'vitest';
import type { StorageDriver } from '../../src/contracts/storage-driver.ts';
import { guardDriver } from '../../src/stack/guard-driver.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import { memoryDriver } from '../support/memory-driver.ts';
import { filled } from '../support/stack-world.ts';

const entries = { '/vm/b': filled(1), '/vm/a': { symlink: 'b' }, '/vm/sub/c': filled(2) };

test('a guarded driver keeps its names, its style and its lists', async () => {
  const guarded = guardDriver(memoryDriver(entries));
  expect(guarded.style).toBe('posix');
  expect(guarded.fileName?.('memory:/vm/b')).toBe('b');
  expect(await guarded.list?.('memory:/vm', 3)).toEqual(['a', 'b', 'sub']);
  expect(await guarded.list?.('/', 3)).toEqual(['vm']);
  const tooMany = await diskErrorOf(async () => guarded.list?.('/vm', 2));
  expect(tooMany).toMatchObject({
    code: 'ERR_LIMIT',
    reason: expect.stringContaining('3 names, 2 are allowed'),
  });
  expect((await diskErrorOf(async () => guarded.list?.('/vm/b', 9))).code).toBe('ERR_NOT_FOUND');
});

test('what a driver lacks stays absent, and what it throws is a DiskError that names the storage', async () => {
  const driver = memoryDriver(entries);
  const bare: StorageDriver = {
    schemes: driver.schemes,
    resolve: driver.resolve,
    parent: driver.parent,
    open: (location, options) => driver.open(location, options),
    kind: (location) => driver.kind(location),
    canonical: (location) => driver.canonical(location),
    identity: (location) => driver.identity(location),
  };
  expect(guardDriver(bare).list).toBeUndefined();
  expect(guardDriver(bare).fileName?.('/vm/b')).toBeUndefined();
  const failing = guardDriver({
    ...bare,
    list: async () => {
      throw new TypeError('fetch failed');
    },
  });
  const error = await diskErrorOf(async () => failing.list?.('/vm', 9));
  expect(error).toMatchObject({ code: 'ERR_IO', layer: '/vm' });
});
