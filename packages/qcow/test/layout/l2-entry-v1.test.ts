import { expect, test } from 'vitest';
import {
  compressedBytesV1,
  compressedOffsetV1,
  hostClusterOffsetV1,
  isCompressedV1,
} from '../../src/layout/l2-entry-v1.ts';
import { compressedV1 } from '../support/image-builder.ts';

test.for([
  ['unallocated', 0x0000_0000, 0x0000_0000, 0],
  ['any sector', 0x0000_0000, 0x0000_0600, 0x600],
  ['bit 0 has no meaning of its own', 0x0000_0000, 0x0000_0601, 0x601],
  ['beyond 4 GiB', 0x0000_0001, 0x0000_0200, 0x1_0000_0200],
] as const)('an L2 entry of version 1: %s', ([, hi, lo, want]) => {
  expect(isCompressedV1(hi)).toBe(false);
  expect(hostClusterOffsetV1(hi, lo)).toBe(want);
});

test('bit 63 says compressed, and bit 62 is a part of the size', () => {
  expect(isCompressedV1(0x8000_0000)).toBe(true);
  expect(isCompressedV1(0x4000_0000)).toBe(false);
});

test.for([
  [9, 54],
  [12, 51],
  [16, 47],
] as const)('cluster_bits %i: the size begins at bit %i, and is in bytes', ([clusterBits, bit]) => {
  const entry = (1n << 63n) | (1n << BigInt(bit)) | 0x7bn;
  const [hi, lo] = [Number(entry >> 32n), Number(entry & 0xffff_ffffn)];
  expect(compressedBytesV1(hi, clusterBits)).toBe(1);
  expect(compressedOffsetV1(hi, lo, clusterBits)).toBe(0x7b);
});

test.for([9, 12, 16])('cluster_bits %i: a descriptor says where its stream is', (clusterBits) => {
  const entry = compressedV1(2 ** 33 + 12345, 2 ** clusterBits - 1, clusterBits);
  const [hi, lo] = [Number(entry >> 32n), Number(entry & 0xffff_ffffn)];
  expect(compressedOffsetV1(hi, lo, clusterBits)).toBe(2 ** 33 + 12345);
  expect(compressedBytesV1(hi, clusterBits)).toBe(2 ** clusterBits - 1);
});
