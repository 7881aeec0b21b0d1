import { type BlockCipher, SECTOR } from '@diskstack/core/format';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { bytesOf, words, xorInto } from '../words.ts';

/** CBC (NIST SP 800-38A, 6.2). Each sector is a chain of its own. */
export function cbc(cipher: BlockCipher, vectors: InitialVectors): SectorCipher {
  const { blockBytes } = cipher;
  return {
    /** All blocks in one call of the cipher: each depends only on the previous encrypted block, which is known. */
    decrypt(bytes, sector) {
      const previous = shifted(bytes, vectors(sector, bytes.length / SECTOR), blockBytes);
      const plain = words(cipher.decrypt(bytes));
      xorInto(plain, words(previous));
      bytes.set(bytesOf(plain));
    },
    /** One call of the cipher for block N of all sectors: the blocks of a sector depend on each other. */
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

/** For each block the previous encrypted one; for the first block of a sector, its initial vector. */
function shifted(bytes: Uint8Array, firsts: Uint8Array, blockBytes: number): Uint8Array {
  const previous = new Uint8Array(bytes.length);
  previous.set(bytes.subarray(0, bytes.length - blockBytes), blockBytes);
  for (let index = 0; index * SECTOR < bytes.length; index++) {
    previous.set(firsts.subarray(index * blockBytes, (index + 1) * blockBytes), index * SECTOR);
  }
  return previous;
}

/** The block at byte `at` of each sector. */
function gather(bytes: Uint8Array, at: number, sectors: number, blockBytes: number): Uint8Array {
  const column = new Uint8Array(sectors * blockBytes);
  for (let index = 0; index < sectors; index++) {
    const start = index * SECTOR + at;
    column.set(bytes.subarray(start, start + blockBytes), index * blockBytes);
  }
  return column;
}
