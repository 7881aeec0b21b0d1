import { expect, test } from 'vitest';
import { l2TableOffset, l2TableOffsetV1 } from '../../src/layout/l1-entry.ts';

test.for([
  ['no table', 0x0000_0000, 0x0000_0000, 0],
  ['the smallest offset', 0x0000_0000, 0x0000_0200, 0x200],
  ['COPIED (bit 63) is no part of it', 0x8000_0000, 0x0003_0000, 0x30000],
  ['the reserved bits 56 to 62 are no part of it', 0x7f00_0000, 0x0003_0000, 0x30000],
  ['the reserved bits 0 to 8 are no part of it', 0x0000_0000, 0x0003_01ff, 0x30000],
  ['bit 31 is no sign', 0x0000_0000, 0x8000_0000, 2 ** 31],
  ['bit 32 is in the high half', 0x0000_0001, 0x0000_0000, 2 ** 32],
  ['bit 55 is the highest', 0x0080_0000, 0x0000_0000, 2 ** 55],
  ['COPIED alone is no table', 0x8000_0000, 0x0000_0000, 0],
] as const)('an L1 entry: %s', ([, hi, lo, offset]) => {
  expect(l2TableOffset(hi, lo)).toBe(offset);
});

test.for([
  ['no table', 0x0000_0000, 0x0000_0000, 0],
  ['any byte', 0x0000_0000, 0x0000_0031, 0x31],
  ['bit 31 is no sign', 0x0000_0000, 0xffff_ffff, 2 ** 32 - 1],
  ['bit 32 is in the high half', 0x0000_0001, 0x0000_0001, 2 ** 32 + 1],
] as const)('an L1 entry of version 1: %s', ([, hi, lo, offset]) => {
  expect(l2TableOffsetV1(hi, lo)).toBe(offset);
});
