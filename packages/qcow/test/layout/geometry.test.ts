import { expect, test } from 'vitest';
import { geometry, geometryV1, l1EntriesFor } from '../../src/layout/geometry.ts';

test.for([
  [9, 8, 64, 512, 32 * 1024],
  [16, 8, 8192, 65536, 512 * 2 ** 20],
  [21, 8, 262144, 2 ** 21, 512 * 2 ** 30],
  [14, 16, 1024, 16384, 16 * 2 ** 20],
  [16, 16, 4096, 65536, 256 * 2 ** 20],
] as const)(
  'cluster_bits %i with entries of %i bytes',
  ([bits, entryBytes, entries, tableBytes, coverage]) => {
    expect(geometry(bits, entryBytes)).toMatchObject({
      l2Entries: entries,
      l2TableBytes: tableBytes,
      l2Coverage: coverage,
    });
  },
);

test('in version 1 the header says how long an L2 table is', () => {
  expect(geometryV1(9, 12)).toMatchObject({ l2Entries: 4096, l2TableBytes: 32768, l2Coverage: 2 ** 21 });
});

test.for([
  [0, 0],
  [1, 1],
  [32 * 1024, 1],
  [32 * 1024 + 1, 2],
  [2 ** 52, 2 ** 37],
] as const)('a disk of %i bytes needs %i L1 entries', ([size, entries]) => {
  expect(l1EntriesFor(size, geometry(9, 8))).toBe(entries);
});
