import { expect, test } from 'vitest';
import { AUTOCLEAR, COMPATIBLE, INCOMPATIBLE, unknownIncompatible } from '../../src/layout/feature-bits.ts';
import { featureName } from '../support/feature-name.ts';

test('the bits of today’s specification', () => {
  expect(INCOMPATIBLE).toEqual({
    dirty: 1n,
    corrupt: 2n,
    externalDataFile: 4n,
    compressionType: 8n,
    extendedL2: 16n,
  });
  expect(COMPATIBLE).toEqual({ lazyRefcounts: 1n });
  expect(AUTOCLEAR).toEqual({ bitmaps: 1n, rawExternalData: 2n });
});

test('known bits are not unknown', () => {
  expect(unknownIncompatible(0x1fn, undefined)).toEqual([]);
});

test.for(Array.from({ length: 59 }, (_, index) => index + 5))('bit %i is unknown', (bit) => {
  expect(unknownIncompatible(1n << BigInt(bit), undefined)).toEqual([`bit ${bit}`]);
});

test('an unknown bit has the name that the feature table gives it', () => {
  const table = featureName(0, 6, 'time travel');
  expect(unknownIncompatible(1n << 6n, table)).toEqual(['bit 6 ("time travel")']);
});

test('names of compatible and autoclear bits are not taken for it', () => {
  const table = Uint8Array.of(...featureName(1, 6, 'wrong'), ...featureName(2, 6, 'wrong'));
  expect(unknownIncompatible(1n << 6n, table)).toEqual(['bit 6']);
});

test('a name of full length ends without a zero', () => {
  const name = 'n'.repeat(46);
  expect(unknownIncompatible(1n << 5n, featureName(0, 5, name))).toEqual([`bit 5 ("${name}")`]);
});

test('a table that ends within an entry has one entry less', () => {
  expect(unknownIncompatible(1n << 5n, featureName(0, 5, 'cut').subarray(0, 47))).toEqual(['bit 5']);
});

test('control characters of a name are made harmless', () => {
  expect(unknownIncompatible(1n << 5n, featureName(0, 5, '\u001b[31mred'))).toEqual([
    'bit 5 ("\\u001b[31mred")',
  ]);
});
