import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { crc32, crc32c, reflectedCrc32 } from '../../src/binary/crc32.ts';
import { noise } from '../support/codec-content.ts';

const digits = new TextEncoder().encode('123456789');

/** The check values of the catalogue of CRC algorithms: of the digits from 1 to 9. */
test.for([
  ['CRC-32/ISO-HDLC', crc32(digits), 0xcbf4_3926],
  ['CRC-32/ISCSI', crc32c(digits), 0xe306_9283],
  ['CRC-32/JAMCRC, which is not changed at the end', crc32(digits, 0xffff_ffff, 0), 0x340b_c6d9],
  ['CRC-32/AUTOSAR', reflectedCrc32(0xc8df_352f)(digits), 0x1697_d06a],
] as const)('%s', ([, got, want]) => expect(got).toBe(want));

test('every length and alignment gives the result of zlib', () => {
  const bytes = noise(300);
  for (let from = 0; from < 9; from++)
    for (let to = from; to < 100; to++)
      expect(crc32(bytes.subarray(from, to)), `${from}..${to}`).toBe(zlibCrc32(bytes.subarray(from, to)));
});

test('a check can go on where another one ended', () => {
  const bytes = noise(100);
  const half = crc32(bytes.subarray(0, 33), 0xffff_ffff, 0);
  expect(crc32(bytes.subarray(33), half)).toBe(crc32(bytes));
});

test('the initial value of LVM2: zlib with its complement, and no change at the end', () => {
  const bytes = noise(64);
  const expected = (zlibCrc32(bytes, (0xf597_a6cf ^ 0xffff_ffff) >>> 0) ^ 0xffff_ffff) >>> 0;
  expect(crc32(bytes, 0xf597_a6cf, 0)).toBe(expected);
});
