import type { BlockCipher } from '@diskstack/core/format';
import { SECTOR } from '@diskstack/core/format';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cast5 } from '../../src/ciphers/cast5.ts';
import { serpent } from '../../src/ciphers/serpent.ts';
import { BOXES } from '../../src/ciphers/serpent-boxes.ts';
import { INVERSE_BOXES } from '../../src/ciphers/serpent-inverse-boxes.ts';
import { twofish } from '../../src/ciphers/twofish.ts';
import { portablePrimitives, sectorCipher } from '../../src/index.ts';

type Vector = readonly [key: string, plain: string, encrypted: string];

/** RFC 2144, Appendix B.1: keys of 128, 80 and 40 bits. */
const CAST5_VECTORS: readonly Vector[] = [
  ['0123456712345678234567893456789a', '0123456789abcdef', '238b4fe5847e44b2'],
  ['01234567123456782345', '0123456789abcdef', 'eb6a711a2c02271b'],
  ['0123456712', '0123456789abcdef', '7ac816d16e9b302e'],
];

/** NESSIE, Serpent-{128,192,256}-128.verified.test-vectors: set 1 #0, set 2 #0, set 3 #0 and #17, set 4 #0 and #1. */
const SERPENT_VECTORS: readonly Vector[] = [
  [`80${'00'.repeat(15)}`, '00'.repeat(16), '264e5481eff42a4606abda06c0bfda3d'],
  ['00'.repeat(16), `80${'00'.repeat(15)}`, 'a3b35de7c358ddd82644678c64b8bcbb'],
  ['00'.repeat(16), '00'.repeat(16), '3620b17ae6a993d09618b8768266bae9'],
  [counting(16), '00112233445566778899aabbccddeeff', '563e2cf8740a27c164804560391e9b27'],
  [`80${'00'.repeat(23)}`, '00'.repeat(16), '9e274ead9b737bb21efcfca548602689'],
  ['00'.repeat(24), `80${'00'.repeat(15)}`, '23f5f432ad687e0d4574c16459618abb'],
  [counting(24), '00112233445566778899aabbccddeeff', '6ab816c82de53b93005008afa2246a02'],
  [`80${'00'.repeat(31)}`, '00'.repeat(16), 'a223aa1288463c0e2be38ebd825616c0'],
  ['00'.repeat(32), `80${'00'.repeat(15)}`, '8314675e8ad5c3ecd83d852bcf7f566e'],
  ['11'.repeat(32), '11'.repeat(16), 'a482eaa5d5771f2fdb2ea1a5f141b9e2'],
  [counting(32), '00112233445566778899aabbccddeeff', '2868b7a2d28ecd5e4fdefac3c4330074'],
];

/** Set 4 #1 of the same files: after 1, 100 and 1000 times. */
const SERPENT_ITERATED = [
  [
    '2bd6459f82c5b300952c49104881ff482bd6459f82c5b300',
    '827b18c2678a239dfc5512842000e204',
    '696e45b38a8181d1b07f1d311a6f4cfe',
    '7ecd356d2be7b1fb7971a1a94bc7be49',
  ],
  [
    '2bd6459f82c5b300952c49104881ff482bd6459f82c5b300952c49104881ff48',
    '3e507730776b93fdea661235e1dd99f0',
    '3b5462e5d87a40c4be745e3994d5e373',
    '99d5d067ef7c787e6a764eb47dac59ad',
  ],
] as const;

/** The AES submission of Twofish, ecb_ival.txt. */
const TWOFISH_VECTORS: readonly Vector[] = [
  ['00'.repeat(16), '00'.repeat(16), '9f589f5cf6122c32b6bfec2f2ae8c35a'],
  ['0123456789abcdeffedcba98765432100011223344556677', '00'.repeat(16), 'cfd1d2e5a9be9cdf501f13b892bd2248'],
  [
    '0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff',
    '00'.repeat(16),
    '37527be0052334b89f0cfccae87cfa20',
  ],
];

/** The last entry, I=49, of each part of ecb_tbl.txt there. */
const TWOFISH_TABLES = [
  [16, '5d9d4eeffa9151575524f115815a12e0'],
  [24, 'e75449212beef9f4a390bd860a640941'],
  [32, '37fe26ff1cf66175f5ddf4c33b97a205'],
] as const;

describe.for([
  ['CAST-128', cast5, CAST5_VECTORS],
  ['Serpent', serpent, SERPENT_VECTORS],
  ['Twofish', twofish, TWOFISH_VECTORS],
] as const)('%s', ([, make, vectors]) => {
  test.for(vectors)('key %s: %s becomes %s', ([key, plain, encrypted]) => {
    const cipher = make(bytes(key));
    expect(hex(cipher.encrypt(bytes(plain)))).toBe(encrypted);
    expect(hex(cipher.decrypt(bytes(encrypted)))).toBe(plain);
  });
});

test.for(SERPENT_ITERATED)('Serpent, key %s: 1, 100 and 1000 times', ([key, ...expected]) => {
  const cipher = serpent(bytes(key));
  let block = bytes('ea024714ad5c4d84ea024714ad5c4d84');
  const seen: string[] = [];
  for (let times = 1; times <= 1000; times++) {
    block = cipher.encrypt(block);
    if ([1, 100, 1000].includes(times)) seen.push(hex(block));
  }
  expect(seen).toEqual(expected);
});

test.for(TWOFISH_TABLES)(
  'Twofish, a key of %i bytes: 49 blocks, each with a key of its own',
  ([keyBytes, expected]) => {
    let key = new Uint8Array(keyBytes);
    let block = new Uint8Array(16);
    for (let entry = 1; entry <= 49; entry++) {
      const encrypted = twofish(key).encrypt(block);
      key = Uint8Array.from([...block, ...key]).subarray(0, keyBytes);
      block = encrypted.slice();
    }
    expect(hex(block)).toBe(expected);
  },
);

/** The AES submission of Serpent, the boxes S0 to S7. */
const SERPENT_BOXES = [
  [3, 8, 15, 1, 10, 6, 5, 11, 14, 13, 4, 2, 7, 0, 9, 12],
  [15, 12, 2, 7, 9, 0, 5, 10, 1, 11, 14, 8, 6, 13, 3, 4],
  [8, 6, 7, 9, 3, 12, 10, 15, 13, 1, 14, 4, 0, 11, 5, 2],
  [0, 15, 11, 8, 12, 9, 6, 3, 13, 1, 2, 4, 10, 7, 5, 14],
  [1, 15, 8, 3, 12, 0, 11, 6, 2, 5, 4, 10, 9, 14, 7, 13],
  [15, 5, 2, 11, 4, 10, 9, 12, 0, 3, 14, 8, 13, 6, 7, 1],
  [7, 2, 12, 5, 8, 4, 6, 11, 14, 9, 1, 15, 13, 3, 10, 0],
  [1, 13, 15, 0, 14, 8, 2, 11, 7, 4, 12, 10, 9, 3, 5, 6],
] as const;

test.for([...SERPENT_BOXES.entries()])('box %i of Serpent is its table', ([index, table]) => {
  for (const [input, output] of table.entries()) {
    expect(throughBox(BOXES[index], input)).toBe(output);
    expect(throughBox(INVERSE_BOXES[index], output)).toBe(input);
  }
});

test.for([
  ['cast5', cast5, [5, 10, 11, 16], 8],
  ['serpent', serpent, [16, 24, 32], 16],
  ['twofish', twofish, [16, 24, 32], 16],
] as const)('%s: many blocks at once are each on its own, and come back', ([, make, sizes, blockBytes]) => {
  const input = fc
    .record({ size: fc.constantFrom(...sizes), blocks: fc.integer({ min: 0, max: 600 }), seed: fc.nat() })
    .map(({ size, blocks, seed }) => ({
      key: noise(size, seed),
      // At an odd place of its buffer, and no multiple of any chunk.
      plain: noise(blocks * blockBytes + 3, seed + 1).subarray(3),
    }));
  fc.assert(
    fc.property(input, ({ key, plain }) => {
      const cipher = make(key);
      const before = hex(plain);
      const encrypted = cipher.encrypt(plain);
      expect(cipher.blockBytes).toBe(blockBytes);
      expect(hex(plain)).toBe(before);
      expect(hex(encrypted)).toBe(hex(oneByOne(cipher, plain)));
      expect(hex(cipher.decrypt(encrypted))).toBe(before);
    }),
    { numRuns: 25 },
  );
});

test.for([
  [
    'blowfish',
    'cbc-plain',
    16,
    'the cipher blowfish is not supported; supported are aes, cast5, serpent, twofish',
  ],
  ['cast5', 'xts-plain64', 32, 'the cipher mode xts needs blocks of 16 bytes, but cast5 has blocks of 8'],
  ['serpent', 'cbc-plain64', 20, 'the key of serpent has 20 bytes; possible are 16, 24, 32'],
  ['twofish', 'cbc-essiv:sha1', 32, 'the key of twofish has 20 bytes; possible are 16, 24, 32'],
] as const)('%s with %s and a key of %i bytes is refused by name', ([name, mode, keyBytes, message]) => {
  const open = () => sectorCipher({ name, mode }, new Uint8Array(keyBytes), portablePrimitives);
  expect(open).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED', message }));
});

test.for(
  Object.entries({
    cast5: ['cbc-plain64', 'cbc-essiv:md5', 'ctr-plain', 'ecb'],
    serpent: ['cbc-plain64', 'cbc-essiv:sha256', 'ctr-plain', 'ecb', 'xts-plain64'],
    twofish: ['cbc-plain64', 'cbc-essiv:sha256', 'ctr-plain', 'ecb', 'xts-plain64'],
  }).flatMap(([name, modes]) => modes.map((mode) => ({ name, mode }))),
)('$name with $mode: sectors come back', ({ name, mode }) => {
  const cipher = sectorCipher({ name, mode }, noise(mode.startsWith('xts') ? 32 : 16, 1), portablePrimitives);
  const plain = noise(5 * SECTOR, 2);
  const changed = plain.slice();
  cipher.encrypt(changed, 2 ** 32 - 2);
  expect(hex(changed)).not.toBe(hex(plain));
  cipher.decrypt(changed, 2 ** 32 - 2);
  expect(hex(changed)).toBe(hex(plain));
});

/** The four bits of a box, each the lowest bit of a word. */
function throughBox(box: ((x: Int32Array) => void) | undefined, value: number): number {
  const words = Int32Array.from([0, 1, 2, 3], (bit) => (value >> bit) & 1);
  box?.(words);
  return words.reduce((sum, word, bit) => sum | ((word & 1) << bit), 0);
}

function oneByOne(cipher: BlockCipher, plain: Uint8Array): Uint8Array {
  const encrypted = new Uint8Array(plain.length);
  for (let at = 0; at < plain.length; at += cipher.blockBytes) {
    encrypted.set(cipher.encrypt(plain.subarray(at, at + cipher.blockBytes)), at);
  }
  return encrypted;
}

function noise(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return state >>> 24;
  });
}

/** `000102…`: this many bytes. */
function counting(length: number): string {
  return hex(Uint8Array.from({ length }, (_, index) => index));
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}
