import type { BlockCipher } from '@diskstack/core';
import { BLOCK } from './units.ts';

/** The vectors of `count` sectors from number `sector` on, 16 bytes each. */
export type InitialVectors = (sector: number, count: number) => Uint8Array;

/** dm-crypt's `plain64`: the sector's number in 64 bits, little-endian, then zeroes. */
export const plain64: InitialVectors = (sector, count) => {
  const vectors = new Uint8Array(count * BLOCK);
  const view = new DataView(vectors.buffer);
  for (let index = 0; index < count; index++) {
    const number = sector + index;
    view.setUint32(index * BLOCK, number % 2 ** 32, true);
    view.setUint32(index * BLOCK + 4, Math.floor(number / 2 ** 32), true);
  }
  return vectors;
};

/** dm-crypt's `plain`: the low 32 bits of the number alone. */
export const plain: InitialVectors = (sector, count) => {
  const vectors = plain64(sector, count);
  const view = new DataView(vectors.buffer);
  for (let index = 0; index < count; index++) view.setUint32(index * BLOCK + 4, 0);
  return vectors;
};

/** dm-crypt's `essiv`: `plain64`, encrypted with the hash of the key. */
export function essiv(cipher: BlockCipher): InitialVectors {
  return (sector, count) => cipher.encrypt(plain64(sector, count));
}
