import type { BlockCipher } from '@diskstack/core';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { SECTOR } from '../units.ts';
import { bytesOf, words, xorInto } from '../words.ts';

/** CTR (NIST SP 800-38A, 6.5): each sector counts up from its vector, a big-endian number as long as a block. */
export function ctr(cipher: BlockCipher, vectors: InitialVectors): SectorCipher {
  const through = (bytes: Uint8Array, sector: number): void => {
    const key = words(cipher.encrypt(counters(vectors(sector, bytes.length / SECTOR), cipher.blockBytes)));
    const masked = words(bytes);
    xorInto(masked, key);
    bytes.set(bytesOf(masked));
  };
  return { decrypt: through, encrypt: through };
}

function counters(firsts: Uint8Array, blockBytes: number): Uint8Array {
  const perSector = SECTOR / blockBytes;
  const blocks = new Uint8Array((firsts.length / blockBytes) * SECTOR);
  for (let block = 0; block < blocks.length / blockBytes; block++) {
    const at = block * blockBytes;
    if (block % perSector === 0) {
      const first = (block / perSector) * blockBytes;
      blocks.set(firsts.subarray(first, first + blockBytes), at);
      continue;
    }
    blocks.copyWithin(at, at - blockBytes, at);
    for (let byte = at + blockBytes - 1; byte >= at; byte--) {
      const next = ((blocks[byte] as number) + 1) & 0xff;
      blocks[byte] = next;
      if (next !== 0) break;
    }
  }
  return blocks;
}
