import { expect, test } from 'vitest';
import { PAGE, ReferenceCounts } from '../../src/check/reference-counts.ts';

test('counts of any size, also beside small ones', () => {
  const counts = new ReferenceCounts();
  counts.add(100, 300, 1);
  counts.add(200, 200, 254);
  expect([100, 199, 200, 201, 300, 301].map((cluster) => counts.get(cluster))).toEqual([1, 1, 255, 1, 1, 0]);
  counts.add(200, 201, 1);
  expect([199, 200, 201].map((cluster) => counts.get(cluster))).toEqual([1, 256, 2]);
  counts.add(200, 200, 0xffff - 256);
  expect(counts.get(200)).toBe(0xffff);
  counts.add(199, 201, 2 ** 40);
  expect([198, 199, 200, 201].map((cluster) => counts.get(cluster))).toEqual([
    1,
    2 ** 40 + 1,
    2 ** 40 + 0xffff,
    2 ** 40 + 2,
  ]);
  expect(counts.last).toBe(300);
});

test('a count that passes 16 bits in one step', () => {
  const counts = new ReferenceCounts();
  counts.add(5, 5, 3);
  counts.add(6, 6, 2 ** 33);
  expect([4, 5, 6, 7].map((cluster) => counts.get(cluster))).toEqual([0, 3, 2 ** 33, 0]);
});

test('pages come in the order of their first reference, wherever they are', () => {
  const counts = new ReferenceCounts();
  const far = 2 ** 40;
  counts.add(far + 1, far + 1, 1);
  counts.add(PAGE - 1, PAGE, 1);
  counts.add(far, far, 1);
  expect([...counts.pages()]).toEqual([far, 0, PAGE]);
  expect([...counts.referenced()]).toEqual([far, far + 1, PAGE - 1, PAGE]);
  expect(counts.page(PAGE)?.[0]).toBe(1);
  expect(counts.page(2 * PAGE)).toBeUndefined();
});

test('more pages than one array holds', () => {
  const counts = new ReferenceCounts();
  counts.add(0, 200_000, 1);
  counts.add(150_000, 150_000, 700);
  expect(
    [0, 65_535, 65_536, 149_999, 150_000, 150_001, 200_000, 200_001].map((cluster) => counts.get(cluster)),
  ).toEqual([1, 1, 1, 1, 701, 1, 1, 0]);
});
