import { type BlockCipher, SECTOR } from '@diskstack/core/format';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { bytesOf, words, xorInto } from '../words.ts';

/** CTR (NIST SP 800-38A, 6.5). The counter of a sector starts at its initial vector, a big-endian number of block size. */
export function ctr(cipher: BlockCipher, vectors: InitialVectors): SectorCipher {
  const through = (bytes: Uint8Array, sector: number): void => {
    const key = words(cipher.encrypt(counters(vectors(sector, bytes.length / SECTOR), cipher.blockBytes)));
    const masked = words(bytes);
    xorInto(masked, key);
    bytes.set(bytesOf(masked));
  };
  return { decrypt: through, encrypt: through };
}

/** The counters of all blocks. The first of each sector is its initial vector. */
function counters(firsts: Uint8Array, blockBytes: number): Uint8Array {
  const perSector = SECTOR / blockBytes;
  const blocks = new Uint8Array((firsts.length / blockBytes) * SECTOR);
  const view = new DataView(blocks.buffer);
  for (let first = 0; first < firsts.length; first += blockBytes) {
    const start = first * perSector;
    blocks.set(firsts.subarray(first, first + blockBytes), start);
    for (let at = start + blockBytes; at < start + SECTOR; at += blockBytes) {
      // Big-endian: from the last word to the first, with the carry.
      let carry = 1;
      for (let word = blockBytes - 4; word >= 0; word -= 4) {
        const next = view.getUint32(at - blockBytes + word) + carry;
        view.setUint32(at + word, next);
        carry = next === 2 ** 32 ? 1 : 0;
      }
    }
  }
  return blocks;
}
