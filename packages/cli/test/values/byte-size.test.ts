import { describe, expect, it } from 'vitest';
import { humanBytes, parseBytes } from '../../src/values/byte-size.ts';

describe('parseBytes', () => {
  it.for([
    ['0', 0],
    ['4096', 4096],
    ['0x1F', 31],
    ['4k', 4096],
    ['1K', 1024],
    ['2m', 2 << 20],
    ['3G', 3 * 2 ** 30],
    ['1T', 2 ** 40],
    ['0x10k', 16_384],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const)('%s is %i', ([text, bytes]) => {
    expect(parseBytes(text, 'OFFSET')).toBe(bytes);
  });

  it.for(['', '-1', '1.5', '1X', '0x', 'k', '1kk', ' 1', '1e3', '0b1', '9007199254740992', '9999999T'])(
    'refuses %j',
    (text) => {
      expect(() => parseBytes(text, 'OFFSET')).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
    },
  );
});

it.for([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '0.977 KiB'],
  [200_704, '196 KiB'],
  [12 << 20, '12 MiB'],
  [1_342_177_280, '1.25 GiB'],
  [2 ** 53 - 1, '8 PiB'],
] as const)('humanBytes rounds %i to %s, as qemu-img does', ([bytes, text]) => {
  expect(humanBytes(bytes)).toBe(text);
});
