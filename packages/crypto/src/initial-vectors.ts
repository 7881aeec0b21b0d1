import type { BlockCipher } from '@diskstack/core';

/** The vectors of `count` sectors from number `sector` on, one after the other, each as long as a block. */
export type InitialVectors = (sector: number, count: number) => Uint8Array;

/** dm-crypt's `plain64`: the sector's number in 64 bits, little-endian, then zeroes. */
export function plain64(blockBytes: number): InitialVectors {
  return (sector, count) => {
    const vectors = new Uint8Array(count * blockBytes);
    const view = new DataView(vectors.buffer);
    for (let index = 0; index < count; index++) {
      const number = sector + index;
      view.setUint32(index * blockBytes, number % 2 ** 32, true);
      view.setUint32(index * blockBytes + 4, Math.floor(number / 2 ** 32), true);
    }
    return vectors;
  };
}

/** dm-crypt's `plain`: the low 32 bits of the number alone. */
export function plain(blockBytes: number): InitialVectors {
  const longer = plain64(blockBytes);
  return (sector, count) => {
    const vectors = longer(sector, count);
    const view = new DataView(vectors.buffer);
    for (let index = 0; index < count; index++) view.setUint32(index * blockBytes + 4, 0);
    return vectors;
  };
}

/** dm-crypt's `essiv`: `plain64`, encrypted with the hash of the key. */
export function essiv(cipher: BlockCipher): InitialVectors {
  const numbers = plain64(cipher.blockBytes);
  return (sector, count) => cipher.encrypt(numbers(sector, count));
}
