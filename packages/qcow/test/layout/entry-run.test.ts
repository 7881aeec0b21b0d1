import { expect, test } from 'vitest';
import { entryRun } from '../../src/layout/entry-run.ts';
import { geometry } from '../../src/layout/geometry.ts';

const COPIED = 1n << 63n;
const CLUSTER = 0x1_0000n;

function table(...entries: readonly bigint[]): DataView {
  const view = new DataView(new ArrayBuffer(entries.length * 8));
  for (const [index, entry] of entries.entries()) view.setBigUint64(index * 8, entry);
  return view;
}

function run(entries: readonly bigint[], most = entries.length, from = 0): number {
  return entryRun(table(...entries), from * 8, most, geometry(16, 8));
}

test('a run ends where the clusters do not follow each other', () => {
  expect(run([COPIED | 0x5_0000n, COPIED | 0x6_0000n, COPIED | 0x7_0000n, COPIED | 0x9_0000n])).toBe(3);
  expect(run([COPIED | 0x5_0000n, COPIED | 0x5_0000n])).toBe(1);
  expect(run([COPIED | 0x5_0000n, 0n])).toBe(1);
  expect(run([0x1_0000n, 0x5_0000n, 0x6_0000n], 2, 1)).toBe(2);
});

test('a run ends where a flag differs', () => {
  expect(run([COPIED | 0x5_0000n, 0x6_0000n])).toBe(1);
  expect(run([0x5_0000n, 0x6_0000n, COPIED | 0x7_0000n])).toBe(2);
  expect(run([0x5_0001n, 0x6_0001n, 0x7_0000n])).toBe(2);
  expect(run([0x5_0000n, (1n << 62n) | 0x6_0000n])).toBe(1);
});

test('a run goes on over 4 GiB, and has no more entries than asked for', () => {
  const at = COPIED | (0x12_0000_0000n - CLUSTER);
  expect(run([at, at + CLUSTER, at + 2n * CLUSTER])).toBe(3);
  expect(run([at, at + CLUSTER, at + 2n * CLUSTER], 2)).toBe(2);
  expect(run([at, at + CLUSTER - 0x1_0000_0000n])).toBe(1);
});

test('the bitmaps of extended entries are equal too', () => {
  const all = 0xffff_ffffn;
  const entries = [COPIED | 0x5_0000n, all, COPIED | 0x6_0000n, all, COPIED | 0x7_0000n, all - 1n];
  expect(entryRun(table(...entries), 0, 3, geometry(16, 16))).toBe(2);
  entries[3] = all | (1n << 32n);
  expect(entryRun(table(...entries), 0, 3, geometry(16, 16))).toBe(1);
});
