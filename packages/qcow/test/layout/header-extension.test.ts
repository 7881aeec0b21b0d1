import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import {
  decodeExtensions,
  EXTENSION,
  EXTENSION_TYPE,
  findExtension,
} from '../../src/layout/header-extension.ts';

test.for([
  ['end', 0x00000000],
  ['backingFormat', 0xe2792aca],
  ['featureNameTable', 0x6803f857],
  ['bitmaps', 0x23852875],
  ['encryptionHeader', 0x0537be77],
  ['externalDataFile', 0x44415441],
] as const)('the type of %s', ([name, type]) => {
  expect(EXTENSION_TYPE[name]).toBe(type);
});

test('type and length stand before the data, 8 bytes in all', () => {
  expect(EXTENSION.at).toEqual({ type: 0, length: 4 });
  expect(EXTENSION.size).toBe(8);
});

const RAW = [0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 3, 0x72, 0x61, 0x77, 0xee, 0xee, 0xee, 0xee, 0xee];
const UNKNOWN = [0x12, 0x34, 0x56, 0x78, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const END = [0, 0, 0, 0, 0, 0, 0, 0];

test('an extension is padded to 8 bytes, and the padding is no part of it', () => {
  const found = decodeExtensions(Uint8Array.of(...RAW, ...UNKNOWN, ...END), 112);
  expect(found.map(({ type, at, data }) => [type, at, [...data]])).toEqual([
    [0xe2792aca, 120, [0x72, 0x61, 0x77]],
    [0x12345678, 136, [1, 2, 3, 4, 5, 6, 7, 8]],
  ]);
});

test('the end marker ends them', () => {
  expect(decodeExtensions(Uint8Array.of(...RAW, ...END, ...UNKNOWN), 112)).toHaveLength(1);
});

test('the end marker may be missing: the area ends them', () => {
  expect(decodeExtensions(Uint8Array.of(...RAW, ...UNKNOWN), 112)).toHaveLength(2);
  expect(decodeExtensions(Uint8Array.of(...RAW, 0x12, 0x34), 112)).toHaveLength(1);
});

test('the last extension may end where the area ends, without padding', () => {
  expect(decodeExtensions(Uint8Array.of(...RAW.slice(0, 11)), 112)).toHaveLength(1);
});

test('an extension longer than what is left is corrupt, at its own byte', async () => {
  const error = await diskErrorOf(() =>
    decodeExtensions(Uint8Array.of(...UNKNOWN, ...RAW.slice(0, 10)), 112),
  );
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 128 });
  expect(error.reason).toContain('3 bytes, 2 are left');
});

test('a length of 4 GiB is refused and not allocated', async () => {
  const huge = Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0xff, 0xff, 0xff, 0xff);
  expect((await diskErrorOf(() => decodeExtensions(huge, 112))).code).toBe('ERR_CORRUPT');
});

test('an extension that is not there is not found', () => {
  const found = decodeExtensions(Uint8Array.of(...RAW), 112);
  expect(findExtension(found, EXTENSION_TYPE.bitmaps)).toBeUndefined();
  expect(findExtension(found, EXTENSION_TYPE.backingFormat)?.at).toBe(120);
});
