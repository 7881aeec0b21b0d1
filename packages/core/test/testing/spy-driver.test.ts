import { expect, test } from 'vitest';
import type { StorageDriver } from '../../src/contracts/storage-driver.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { posixNames } from '../../src/stack/location-names.ts';
import { pattern, spyDriver } from '../../src/testing/index.ts';

const driver: StorageDriver = {
  ...posixNames('toy'),
  open: (path, { writable }) => new MemoryDisk(pattern(64), { writable, location: path }),
  kind: async () => 'file',
  canonical: async (path) => path,
  identity: async (path) => `toy:${path}`,
};

test('records every call', async () => {
  const spy = spyDriver(driver);
  expect(spy.schemes).toEqual(['toy']);
  expect(await spy.kind('/a')).toBe('file');
  expect(await spy.canonical('/b')).toBe('/b');
  expect(await spy.identity('/c')).toBe('toy:/c');
  spy.open('/d', { writable: true });
  expect(spy.calls).toEqual([
    { call: 'kind', path: '/a' },
    { call: 'canonical', path: '/b' },
    { call: 'identity', path: '/c' },
    { call: 'open', path: '/d', writable: true },
  ]);
});

test('a driver that lists folders is recorded, and another one lists none', async () => {
  const lists = spyDriver({ ...driver, list: async (path, max) => [path, String(max)] });
  expect(await lists.list?.('/a', 7)).toEqual(['/a', '7']);
  expect(lists.calls).toEqual([{ call: 'list', path: '/a' }]);
  expect(lists.fileName?.('toy:/a/b')).toBe('b');
  expect(lists.style).toBe('posix');
  expect(spyDriver(driver).list).toBeUndefined();
});

test('counts the disks that are not closed', async () => {
  const spy = spyDriver(driver);
  const first = spy.open('/first', { writable: false });
  const second = spy.open('/second', { writable: false });
  await second.init();
  expect(await second.read(0, 16)).toEqual(pattern(16));
  expect([spy.opened, spy.closed, spy.openDisks]).toEqual([2, 0, 2]);
  await first.close();
  await first.close();
  expect([spy.opened, spy.closed, spy.openDisks]).toEqual([2, 1, 1]);
  expect(spy.openPaths).toEqual(['/second']);
  await second[Symbol.asyncDispose]();
  expect([spy.opened, spy.closed, spy.openDisks]).toEqual([2, 2, 0]);
  await expect(second.read(0, 1)).rejects.toMatchObject({ code: 'ERR_STATE' });
});
