import type { BlockCipher } from '@diskstack/core';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { BLOCK, SECTOR } from '../units.ts';
import { bytesOf, words, xorInto } from '../words.ts';

/** CTR (NIST SP 800-38A, 6.5): each sector counts up from its vector, a big-endian number of 128 bits. */
export function ctr(cipher: BlockCipher, vectors: InitialVectors): SectorCipher {
  const through = (bytes: Uint8Array, sector: number): void => {
    const key = words(cipher.encrypt(counters(vectors(sector, bytes.length / SECTOR))));
    const masked = words(bytes);
    xorInto(masked, key);
    bytes.set(bytesOf(masked));
  };
  return { decrypt: through, encrypt: through };
}

function counters(firsts: Uint8Array): Uint8Array {
  const perSector = SECTOR / BLOCK;
  const blocks = new Uint8Array((firsts.length / BLOCK) * SECTOR);
  for (let block = 0; block < blocks.length / BLOCK; block++) {
    const at = block * BLOCK;
    if (block % perSector === 0) {
      const first = (block / perSector) * BLOCK;
      blocks.set(firsts.subarray(first, first + BLOCK), at);
      continue;
    }
    blocks.copyWithin(at, at - BLOCK, at);
    for (let byte = at + BLOCK - 1; byte >= at; byte--) {
      const next = ((blocks[byte] as number) + 1) & 0xff;
      blocks[byte] = next;
      if (next !== 0) break;
    }
  }
  return blocks;
}
