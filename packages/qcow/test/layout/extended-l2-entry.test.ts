import { expect, test } from 'vitest';
import { contradicts, subclusterKind } from '../../src/layout/extended-l2-entry.ts';

test.for([
  ['no bit', 0x0000_0000, 0x0000_0000, 0, 'unallocated'],
  ['bit 0 is sub-cluster 0', 0x0000_0001, 0x0000_0000, 0, 'allocated'],
  ['bit 0 is not sub-cluster 31', 0x0000_0001, 0x0000_0000, 31, 'unallocated'],
  ['bit 31 is sub-cluster 31', 0x8000_0000, 0x0000_0000, 31, 'allocated'],
  ['bit 32 is the zero bit of sub-cluster 0', 0x0000_0000, 0x0000_0001, 0, 'zero'],
  ['bit 63 is the zero bit of sub-cluster 31', 0x0000_0000, 0x8000_0000, 31, 'zero'],
  ['neighbours are independent', 0x0000_0005, 0x0000_0002, 1, 'zero'],
] as const)('a sub-cluster: %s', ([, allocation, zero, index, want]) => {
  expect(subclusterKind(allocation, zero, index)).toBe(want);
});

test('the bitmap contradicts itself where a sub-cluster has both bits', () => {
  expect(contradicts(0x0000_0001, 0x0000_0002)).toBe(false);
  expect(contradicts(0x8000_0000, 0x8000_0000)).toBe(true);
});
