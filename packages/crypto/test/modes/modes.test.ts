import { createCipheriv } from 'node:crypto';
import type { BlockCipher } from '@diskstack/core/format';
import { describe, expect, test } from 'vitest';
import { sectorCipher } from '../../src/index.ts';
import type { InitialVectors } from '../../src/initial-vectors.ts';
import { cbc } from '../../src/modes/cbc.ts';
import { ctr } from '../../src/modes/ctr.ts';
import { ecb } from '../../src/modes/ecb.ts';
import type { SectorCipher } from '../../src/sector-cipher.ts';
import { counting, EACH_PRIMITIVES, fromHex } from '../support/primitives.ts';

// NIST SP 800-38A, appendix F: four blocks of plaintext, one key of each length.
const PLAIN = fromHex(`
  6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
  30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710`);
const KEYS: Readonly<Record<string, Uint8Array>> = {
  '128': fromHex('2b7e151628aed2a6abf7158809cf4f3c'),
  '192': fromHex('8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b'),
  '256': fromHex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'),
};
const IV = counting(16);
const COUNTER = counting(16, 0xf0);

type Mode = (cipher: BlockCipher) => SectorCipher;
const starting =
  (vector: Uint8Array): InitialVectors =>
  () =>
    vector;
const MODES: Readonly<Record<string, Mode>> = {
  ECB: ecb,
  CBC: (cipher) => cbc(cipher, starting(IV)),
  CTR: (cipher) => ctr(cipher, starting(COUNTER)),
};

const VECTORS: readonly (readonly [mode: string, bits: string, section: string, cipherText: string])[] = [
  [
    'ECB',
    '128',
    'F.1.1',
    `3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf
     43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4`,
  ],
  [
    'ECB',
    '192',
    'F.1.3',
    `bd334f1d6e45f25ff712a214571fa5cc 974104846d0ad3ad7734ecb3ecee4eef
     ef7afd2270e2e60adce0ba2face6444e 9a4b41ba738d6c72fb16691603c18e0e`,
  ],
  [
    'ECB',
    '256',
    'F.1.5',
    `f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870
     b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7`,
  ],
  [
    'CBC',
    '128',
    'F.2.1',
    `7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
     73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7`,
  ],
  [
    'CBC',
    '192',
    'F.2.3',
    `4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a
     571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd`,
  ],
  [
    'CBC',
    '256',
    'F.2.5',
    `f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
     39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b`,
  ],
  [
    'CTR',
    '128',
    'F.5.1',
    `874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff
     5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee`,
  ],
  [
    'CTR',
    '192',
    'F.5.3',
    `1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94
     1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050`,
  ],
  [
    'CTR',
    '256',
    'F.5.5',
    `601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5
     2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6`,
  ],
];

/** A sector that begins with the four blocks. */
function sectorOf(blocks: Uint8Array): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(blocks);
  return sector;
}

describe.each(EACH_PRIMITIVES)('NIST SP 800-38A, %s', (_, primitives) => {
  test.each(VECTORS)('%s with AES-%s encrypts as %s says', (mode, bits, _section, cipherText) => {
    const make = MODES[mode] ?? ecb;
    const sector = sectorOf(PLAIN);
    make(primitives.aes(KEYS[bits] ?? IV)).encrypt(sector, 0);
    expect(sector.subarray(0, 64)).toEqual(fromHex(cipherText));
  });

  test.each(VECTORS)('%s with AES-%s decrypts what %s says', (mode, bits, _section, cipherText) => {
    const make = MODES[mode] ?? ecb;
    const sector = sectorOf(fromHex(cipherText));
    make(primitives.aes(KEYS[bits] ?? IV)).decrypt(sector, 0);
    expect(sector.subarray(0, 64)).toEqual(PLAIN);
  });

  test('CTR carries from one byte of its counter to the next', () => {
    const all = fromHex('000000000000000000000000ffffffff');
    const sector = new Uint8Array(512);
    ctr(primitives.aes(IV), () => all).encrypt(sector, 0);
    const stream = createCipheriv('aes-128-ctr', IV, all).update(new Uint8Array(512));
    expect(sector).toEqual(Uint8Array.from(stream));
  });
});

// IEEE 1619-2007, annex B: XTS, data units of 512 bytes 00 01 … ff 00 01 … ff. Beginning and end of the ciphertext.
const XTS = [
  {
    name: 'vector 4 (AES-128, data unit 0)',
    key: '27182818284590452353602874713526 31415926535897932384626433832795',
    sector: 0,
    start: '27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c',
    end: 'eb4a427d1923ce3ff262735779a418f20a282df920147beabe421ee5319d0568',
  },
  {
    name: 'vector 10 (AES-256, data unit 0xff)',
    key: `2718281828459045235360287471352662497757247093699959574966967627
          3141592653589793238462643383279502884197169399375105820974944592`,
    sector: 0xff,
    start: '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b',
    end: '773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151',
  },
] as const;

describe.each(EACH_PRIMITIVES)('IEEE 1619, %s', (_, primitives) => {
  test.each(XTS)('$name encrypts and decrypts', ({ key, sector, start, end }) => {
    const cipher = sectorCipher({ name: 'aes', mode: 'xts-plain64' }, fromHex(key), primitives);
    const unit = counting(512);
    cipher.encrypt(unit, sector);
    expect(unit.subarray(0, 32)).toEqual(fromHex(start));
    expect(unit.subarray(-32)).toEqual(fromHex(end));
    cipher.decrypt(unit, sector);
    expect(unit).toEqual(counting(512));
  });
});
