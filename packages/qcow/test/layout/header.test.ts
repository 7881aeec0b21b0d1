import { expect, test } from 'vitest';
import { decodeHeader, HEADER_START, HEADER_V1, HEADER_V2, HEADER_V3 } from '../../src/layout/header.ts';
import { qcow2Image } from '../support/image-builder.ts';

test.for([
  ['magic', 0],
  ['version', 4],
  ['backingFileOffset', 8],
  ['backingFileSize', 16],
  ['clusterBits', 20],
  ['size', 24],
  ['cryptMethod', 32],
  ['l1Size', 36],
  ['l1TableOffset', 40],
  ['refcountTableOffset', 48],
  ['refcountTableClusters', 56],
  ['nbSnapshots', 60],
  ['snapshotsOffset', 64],
  ['incompatibleFeatures', 72],
  ['compatibleFeatures', 80],
  ['autoclearFeatures', 88],
  ['refcountOrder', 96],
  ['headerLength', 100],
] as const)('%s is at byte %i of a version 3 header', ([field, at]) => {
  expect(HEADER_V3.at[field]).toBe(at);
});

test.for([
  ['magic', 0],
  ['version', 4],
  ['backingFileOffset', 8],
  ['backingFileSize', 16],
  ['mtime', 20],
  ['size', 24],
  ['clusterBits', 32],
  ['l2Bits', 33],
  ['cryptMethod', 36],
  ['l1TableOffset', 40],
] as const)('%s is at byte %i of a version 1 header', ([field, at]) => {
  expect(HEADER_V1.at[field]).toBe(at);
});

test.for([
  ['version 1', HEADER_V1.size, 48],
  ['version 2', HEADER_V2.size, 72],
  ['version 3', HEADER_V3.size, 104],
  ['magic and version', HEADER_START.size, 8],
] as const)('the header of %s has the bytes that the specification gives it', ([, size, want]) => {
  expect(size).toBe(want);
});

test('version 2 ends at byte 72, and where version 3 has features it may have anything', () => {
  const image = qcow2Image({
    version: 2,
    header: { incompatibleFeatures: 0xffn, refcountOrder: 9, headerLength: 5 },
  });
  const header = decodeHeader(image);
  expect(header).toMatchObject({
    incompatibleFeatures: 0n,
    compatibleFeatures: 0n,
    autoclearFeatures: 0n,
    refcountOrder: 4,
    headerLength: 72,
    compressionType: 0,
  });
});

test('feature words are big-endian', () => {
  const image = qcow2Image({ header: { compatibleFeatures: 1n << 40n, autoclearFeatures: 2n } });
  const header = decodeHeader(image);
  expect(header.compatibleFeatures).toBe(1n << 40n);
  expect(header.autoclearFeatures).toBe(2n);
});

test('compression_type is absent from a header of 104 bytes', () => {
  const image = qcow2Image({ header: { headerLength: 104 } });
  image[104] = 1;
  expect(decodeHeader(image).compressionType).toBe(0);
});

test('compression_type is byte 104 of a longer header', () => {
  const image = qcow2Image({ header: { headerLength: 112, compressionType: 1 } });
  expect(decodeHeader(image).compressionType).toBe(1);
});
