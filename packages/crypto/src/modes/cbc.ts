import type { BlockCipher } from '@diskstack/core';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { SECTOR } from '../units.ts';
import { bytesOf, words, xorInto } from '../words.ts';

/** CBC (NIST SP 800-38A, 6.2), each sector a chain of its own. */
export function cbc(cipher: BlockCipher, vectors: InitialVectors): SectorCipher {
  const { blockBytes } = cipher;
  return {
    /** All blocks at once: what each is combined with is the encrypted block before it, and that is there. */
    decrypt(bytes, sector) {
      const previous = shifted(bytes, vectors(sector, bytes.length / SECTOR), blockBytes);
      const plain = words(cipher.decrypt(bytes));
      xorInto(plain, words(previous));
      bytes.set(bytesOf(plain));
    },
    /** Block by block within a sector, but the same block of all sectors at once. */
    encrypt(bytes, sector) {
      const sectors = bytes.length / SECTOR;
      let previous = words(vectors(sector, sectors));
      for (let at = 0; at < SECTOR; at += blockBytes) {
        const column = words(gather(bytes, at, sectors, blockBytes));
        xorInto(column, previous);
        const encrypted = cipher.encrypt(bytesOf(column));
        for (let index = 0; index < sectors; index++) {
          bytes.set(encrypted.subarray(index * blockBytes, (index + 1) * blockBytes), index * SECTOR + at);
        }
        previous = words(encrypted);
      }
    },
  };
}

/** For each block the encrypted one before it: the sector's vector for the first. */
function shifted(bytes: Uint8Array, firsts: Uint8Array, blockBytes: number): Uint8Array {
  const previous = new Uint8Array(bytes.length);
  previous.set(bytes.subarray(0, bytes.length - blockBytes), blockBytes);
  for (let index = 0; index * SECTOR < bytes.length; index++) {
    previous.set(firsts.subarray(index * blockBytes, (index + 1) * blockBytes), index * SECTOR);
  }
  return previous;
}

/** The block at `at` of each sector. */
function gather(bytes: Uint8Array, at: number, sectors: number, blockBytes: number): Uint8Array {
  const column = new Uint8Array(sectors * blockBytes);
  for (let index = 0; index < sectors; index++) {
    const start = index * SECTOR + at;
    column.set(bytes.subarray(start, start + blockBytes), index * blockBytes);
  }
  return column;
}
