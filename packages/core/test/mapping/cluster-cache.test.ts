import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Decompress } from '../../src/contracts/codec.ts';
import { ClusterCache } from '../../src/mapping/cluster-cache.ts';
import { pattern } from '../../src/testing/index.ts';
import { compressedDisk } from '../support/compressed-disk.ts';

const UNIT = 512;
const UNITS = 16;

test('the memory of a cluster that leaves the cache is used again, as zeroes', () => {
  const cache = new ClusterCache(2 * UNIT);
  const clusters = [1, 2, 3].map((value) => {
    const cluster = cache.take(UNIT).fill(value);
    cache.put(value, cluster);
    return cluster;
  });
  expect([1, 2, 3].map((at) => cache.peek(at)?.[0])).toEqual([undefined, 2, 3]);
  const again = cache.take(UNIT);
  expect(again).toBe(clusters[0]);
  expect(again).toEqual(new Uint8Array(UNIT));
  expect(cache.take(UNIT)).not.toBe(again);
});

test('memory of another length is not used', () => {
  const cache = new ClusterCache(UNIT);
  cache.put(1, cache.take(UNIT));
  cache.put(2, cache.take(UNIT));
  expect(cache.take(2 * UNIT)).toHaveLength(2 * UNIT);
});

test('the memory of a cluster that a caller waited for is not used again', async () => {
  const cache = new ClusterCache(UNIT);
  const shared = cache.take(UNIT);
  const adopted = cache.adopt(
    1,
    shared,
    turn().then(() => void shared.fill(7)),
  );
  const waiting = cache.loading(1);
  expect(await adopted).toBe(shared);
  expect(await waiting).toBe(shared);
  cache.put(2, cache.take(UNIT)); // the first one makes room
  expect(cache.peek(1)).toBeUndefined();
  expect(cache.take(UNIT)).not.toBe(shared);
  expect(shared).toEqual(new Uint8Array(UNIT).fill(7));
});

test('the bytes of a failed load are not cached', async () => {
  const cache = new ClusterCache(UNIT);
  await expect(cache.adopt(1, cache.take(UNIT), Promise.reject(new Error('broken')))).rejects.toThrow(
    'broken',
  );
  expect(cache.peek(1)).toBeUndefined();
  expect(cache.loading(1)).toBeUndefined();
});

test.for(['synchronously', 'later', 'by turns'] as const)(
  'many readers of a cache of one cluster get their bytes: a decompressor that answers %s',
  async (answers) => {
    const stored = pattern(UNIT * UNITS, 5);
    let calls = 0;
    const decompress: Decompress = (from, into) => {
      const isLate = answers === 'later' || (answers === 'by turns' && calls++ % 2 === 0);
      const copy = (): void => into.set(from.subarray(0, into.length));
      if (isLate) return turn().then(copy);
      copy();
      return undefined;
    };
    await using disk = await compressedDisk(stored, UNIT, decompress, { clusterCacheBytes: UNIT });
    const places = Array.from({ length: 300 }, (_, index) => (index * 1237) % (stored.length - 300));
    const found = await Promise.all(places.map((at) => disk.read(at, 300)));
    expect(
      found.every((bytes, index) => {
        const at = places[index] as number;
        return Buffer.compare(bytes, stored.subarray(at, at + 300)) === 0;
      }),
    ).toBe(true);
  },
);
