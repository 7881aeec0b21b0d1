import { expect, test } from 'vitest';
import {
  compressedBytes,
  compressedOffset,
  hasZeroFlag,
  hostClusterOffset,
  isCompressed,
} from '../../src/layout/l2-entry.ts';
import { compressed } from '../support/image-builder.ts';

test.for([
  ['unallocated', 0x0000_0000, 0x0000_0000, { compressed: false, zero: false, host: 0 }],
  ['zero, unallocated', 0x0000_0000, 0x0000_0001, { compressed: false, zero: true, host: 0 }],
  ['zero, preallocated', 0x8000_0000, 0x0005_0001, { compressed: false, zero: true, host: 0x50000 }],
  ['standard', 0x0000_0000, 0x0005_0000, { compressed: false, zero: false, host: 0x50000 }],
  ['standard, COPIED', 0x8000_0000, 0x0005_0000, { compressed: false, zero: false, host: 0x50000 }],
  ['reserved bits set', 0x3f00_0000, 0x0005_01fe, { compressed: false, zero: false, host: 0x50000 }],
  ['beyond 4 GiB', 0x8000_0001, 0x8000_0000, { compressed: false, zero: false, host: 0x1_8000_0000 }],
  [
    'the highest host cluster',
    0x00ff_ffff,
    0xffff_fe00,
    { compressed: false, zero: false, host: 2 ** 56 - 512 },
  ],
] as const)('an L2 entry: %s', ([, hi, lo, want]) => {
  expect({ compressed: isCompressed(hi), zero: hasZeroFlag(lo), host: hostClusterOffset(hi, lo) }).toEqual(
    want,
  );
});

// x = 62 - (cluster_bits - 8): the additional sectors are counted from bit x on.
test.for([
  [9, 61, 0x6000_0000, 0x0000_0000],
  [12, 58, 0x4400_0000, 0x0000_0000],
  [16, 54, 0x4040_0000, 0x0000_0000],
  [21, 49, 0x4002_0000, 0x0000_0000],
] as const)(
  'cluster_bits %i: the size of a compressed cluster begins at bit %i',
  ([clusterBits, , hi, lo]) => {
    expect(isCompressed(hi)).toBe(true);
    expect(compressedBytes(hi, lo, clusterBits)).toBe(1024);
    expect(compressedOffset(hi, lo, clusterBits)).toBe(0);
  },
);

test('the size is that of ADDITIONAL sectors, less what stands before the offset in its sector', () => {
  expect(compressedBytes(0x4000_0000, 0x0000_0000, 16)).toBe(512);
  expect(compressedBytes(0x4000_0000, 0x0000_01ff, 16)).toBe(1);
  expect(compressedBytes(0x4080_0000, 0x0000_0101, 16)).toBe(3 * 512 - 0x101);
});

test.for([9, 12, 14, 16, 21])('cluster_bits %i: a descriptor says where its stream is', (clusterBits) => {
  const stored = 2 ** clusterBits - 3;
  const hostOffset = 5 * 2 ** clusterBits + 77;
  const entry = compressed(hostOffset, stored, clusterBits);
  const [hi, lo] = [Number(entry >> 32n), Number(entry & 0xffff_ffffn)];
  expect(compressedOffset(hi, lo, clusterBits)).toBe(hostOffset);
  expect(compressedBytes(hi, lo, clusterBits)).toBe(
    Math.ceil((hostOffset + stored) / 512) * 512 - hostOffset,
  );
});

test('the highest offset of a compressed cluster is exact to the byte', () => {
  expect(compressedOffset(0x4001_ffff, 0xffff_ffff, 21)).toBe(2 ** 49 - 1);
});
