import { createCipheriv, createHash } from 'node:crypto';
import { SECTOR } from '@diskstack/core/format';
import { diskErrorOf } from '@diskstack/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sectorCipher } from '../src/index.ts';
import { counting, EACH_PRIMITIVES } from './support/primitives.ts';

const MODES = [
  ['xts-plain64', 32],
  ['xts-plain', 64],
  ['xts-plain64', 48],
  ['cbc-plain64', 16],
  ['cbc-essiv:sha256', 32],
  ['ctr-plain64', 24],
  ['ecb', 32],
] as const;

/** The sector's number in 64 bits, little-endian, then zeroes. */
function plain64(sector: number): Uint8Array {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(sector));
  return vector;
}

describe.each(EACH_PRIMITIVES)('sectorCipher with %s', (_, primitives) => {
  test.each(MODES)('%s with a key of %i bytes: decrypting undoes encrypting', (mode, keyBytes) => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: keyBytes, maxLength: keyBytes }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        fc.nat({ max: 2 ** 40 }),
        (key, sectors, seed, first) => {
          const cipher = sectorCipher({ name: 'aes', mode }, key, primitives);
          const bytes = counting(sectors * SECTOR, seed);
          const work = bytes.slice();
          cipher.encrypt(work, first);
          expect(work).not.toEqual(bytes);
          cipher.decrypt(work, first);
          expect(work).toEqual(bytes);
        },
      ),
      { numRuns: 20 },
    );
  });

  test.each(MODES)(
    '%s with a key of %i bytes: many sectors at once are each of them alone',
    (mode, keyBytes) => {
      const cipher = sectorCipher({ name: 'aes', mode }, counting(keyBytes), primitives);
      const together = counting(20 * SECTOR, 3);
      cipher.encrypt(together, 100);
      const alone = counting(20 * SECTOR, 3);
      for (let sector = 0; sector < 20; sector++) {
        cipher.encrypt(alone.subarray(sector * SECTOR, (sector + 1) * SECTOR), 100 + sector);
      }
      expect(together).toEqual(alone);
      cipher.decrypt(together, 100);
      expect(together).toEqual(counting(20 * SECTOR, 3));
    },
  );

  test.each(MODES)(
    '%s with a key of %i bytes: bytes at any place of a buffer, and none around them',
    (mode, keyBytes) => {
      const cipher = sectorCipher({ name: 'aes', mode }, counting(keyBytes), primitives);
      const expected = counting(2 * SECTOR);
      cipher.encrypt(expected, 7);
      for (const start of [1, 2, 3, 4, 5]) {
        const buffer = new Uint8Array(2 * SECTOR + 16).fill(0xee);
        const inside = buffer.subarray(start, start + 2 * SECTOR);
        inside.set(counting(2 * SECTOR));
        cipher.encrypt(inside, 7);
        expect(inside).toEqual(expected);
        expect(buffer.subarray(0, start)).toEqual(new Uint8Array(start).fill(0xee));
        expect(buffer.subarray(start + 2 * SECTOR)).toEqual(new Uint8Array(16 - start).fill(0xee));
        cipher.decrypt(inside, 7);
        expect(inside).toEqual(counting(2 * SECTOR));
      }
    },
  );

  test('requests of different lengths, one after the other, do not disturb each other', () => {
    const cipher = sectorCipher({ name: 'aes', mode: 'xts-plain64' }, counting(64), primitives);
    const long = counting(8 * SECTOR);
    const short = counting(SECTOR);
    cipher.encrypt(long, 0);
    cipher.encrypt(short, 0);
    expect(short).toEqual(long.subarray(0, SECTOR));
  });

  test.each([0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 43 + 5])(
    'xts-plain64 of sector %i is OpenSSL’s XTS',
    (sector) => {
      const key = counting(64, 9);
      const bytes = counting(SECTOR);
      sectorCipher({ name: 'aes', mode: 'xts-plain64' }, key, primitives).encrypt(bytes, sector);
      const theirs = createCipheriv('aes-256-xts', key, plain64(sector)).update(counting(SECTOR));
      expect(bytes).toEqual(Uint8Array.from(theirs));
    },
  );

  test('plain keeps 32 bits of the sector, plain64 all of them', () => {
    const encrypted = (mode: string, sector: number): Uint8Array => {
      const bytes = counting(SECTOR);
      sectorCipher({ name: 'aes', mode }, counting(32), primitives).encrypt(bytes, sector);
      return bytes;
    };
    expect(encrypted('xts-plain', 2 ** 32 + 5)).toEqual(encrypted('xts-plain', 5));
    expect(encrypted('xts-plain', 5)).toEqual(encrypted('xts-plain64', 5));
    expect(encrypted('xts-plain64', 2 ** 32 + 5)).not.toEqual(encrypted('xts-plain64', 5));
  });

  test('essiv encrypts the sector with the hash of the key', () => {
    const key = counting(16);
    const bytes = counting(SECTOR);
    sectorCipher({ name: 'aes', mode: 'cbc-essiv:sha256' }, key, primitives).encrypt(bytes, 12_345);
    const salt = createHash('sha256').update(key).digest();
    const vector = createCipheriv('aes-256-ecb', salt, null).update(plain64(12_345));
    const theirs = createCipheriv('aes-128-cbc', key, vector).update(counting(SECTOR));
    expect(bytes).toEqual(Uint8Array.from(theirs));
  });

  test.each([
    ['a cipher', { name: 'rot13', mode: 'xts-plain64' }, 32, 'rot13'],
    ['a mode', { name: 'aes', mode: 'gcm-plain64' }, 32, 'gcm'],
    ['a vector generator', { name: 'aes', mode: 'cbc-benbi' }, 32, 'benbi'],
    ['a generator that is missing', { name: 'aes', mode: 'cbc' }, 32, 'undefined'],
    ['a hash of essiv', { name: 'aes', mode: 'cbc-essiv:crc32' }, 32, 'crc32'],
    ['a hash of essiv that gives no key', { name: 'aes', mode: 'cbc-essiv:sha1' }, 32, '20 bytes'],
    ['an essiv without a hash', { name: 'aes', mode: 'cbc-essiv' }, 32, 'essiv'],
    ['a key of no good length', { name: 'aes', mode: 'cbc-plain64' }, 15, '15 bytes'],
    ['a key that has no halves', { name: 'aes', mode: 'xts-plain64' }, 33, '16'],
    ['an empty key', { name: 'aes', mode: 'xts-plain64' }, 0, '0 bytes'],
    ['a name of an object’s own', { name: 'constructor', mode: 'xts-plain64' }, 32, 'constructor'],
    ['a hash named like an object’s own', { name: 'aes', mode: 'cbc-essiv:toString' }, 32, 'toString'],
  ] as const)('%s that is not supported is refused by name', async (_what, spec, keyBytes, named) => {
    const error = await diskErrorOf(() => sectorCipher(spec, counting(keyBytes), primitives));
    expect(error.code).toBe('ERR_UNSUPPORTED');
    expect(error.reason).toContain(named);
  });
});
