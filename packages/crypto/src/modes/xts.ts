import type { BlockCipher } from '@diskstack/core';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { BLOCK, SECTOR } from '../units.ts';
import { bytesOf, words, xorInto } from '../words.ts';

const WORDS_PER_SECTOR = SECTOR / 4;
/** IEEE 1619, 5.2: what a carry out of the highest bit adds. */
const POLYNOMIAL = 0x87;

/**
 * XTS (IEEE 1619): each block is encrypted between two exclusive-ors with its tweak. The tweaks of a whole request are
 * made first, so that the blocks go to the cipher in one call: setting up an XTS cipher for each sector is slower by far.
 */
export function xts(data: BlockCipher, tweak: BlockCipher, vectors: InitialVectors): SectorCipher {
  const through = (cipher: (bytes: Uint8Array) => Uint8Array, bytes: Uint8Array, sector: number): void => {
    const tweaks = sectorTweaks(tweak.encrypt(vectors(sector, bytes.length / SECTOR)));
    const masked = words(bytes);
    xorInto(masked, tweaks);
    const result = words(cipher(bytesOf(masked)));
    xorInto(result, tweaks);
    bytes.set(bytesOf(result));
  };
  return {
    decrypt: (bytes, sector) => through((blocks) => data.decrypt(blocks), bytes, sector),
    encrypt: (bytes, sector) => through((blocks) => data.encrypt(blocks), bytes, sector),
  };
}

/** From the encrypted vector of each sector, the tweaks of its 32 blocks: each the one before, times x in GF(2^128). */
function sectorTweaks(firsts: Uint8Array): Uint32Array {
  const sectors = firsts.length / BLOCK;
  const view = new DataView(firsts.buffer, firsts.byteOffset, firsts.length);
  const tweaks = new Uint32Array(sectors * WORDS_PER_SECTOR);
  let at = 0;
  for (let sector = 0; sector < sectors; sector++) {
    let a = view.getUint32(sector * BLOCK, true);
    let b = view.getUint32(sector * BLOCK + 4, true);
    let c = view.getUint32(sector * BLOCK + 8, true);
    let d = view.getUint32(sector * BLOCK + 12, true);
    for (let block = 0; block < SECTOR / BLOCK; block++) {
      tweaks[at] = a;
      tweaks[at + 1] = b;
      tweaks[at + 2] = c;
      tweaks[at + 3] = d;
      at += 4;
      const carry = d >>> 31;
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ (carry * POLYNOMIAL);
    }
  }
  return tweaks;
}
