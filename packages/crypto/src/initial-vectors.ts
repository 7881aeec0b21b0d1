import type { BlockCipher } from '@diskstack/core/format';

/** Returns the initial vectors of `count` sectors from number `sector` on, concatenated. Each has the length of a block. */
export type InitialVectors = (sector: number, count: number) => Uint8Array;

/** dm-crypt `plain64`: the sector number as 64 bits, little-endian, padded with zeroes. */
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

/** dm-crypt `plain`: the low 32 bits of the sector number, little-endian, padded with zeroes. */
export function plain(blockBytes: number): InitialVectors {
  const longer = plain64(blockBytes);
  return (sector, count) => {
    const vectors = longer(sector, count);
    const view = new DataView(vectors.buffer);
    for (let index = 0; index < count; index++) view.setUint32(index * blockBytes + 4, 0);
    return vectors;
  };
}

/** dm-crypt `essiv`: `plain64`, encrypted with `cipher`, whose key is a hash of the data key. */
export function essiv(cipher: BlockCipher): InitialVectors {
  const numbers = plain64(cipher.blockBytes);
  return (sector, count) => cipher.encrypt(numbers(sector, count));
}
