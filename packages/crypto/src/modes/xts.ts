import type { BlockCipher } from '@diskstack/core';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { SECTOR } from '../units.ts';
import { bytesOf, words, xorOf } from '../words.ts';

/** IEEE 1619 defines XTS for blocks of 128 bits alone. */
export const XTS_BLOCK = 16;
const WORDS_PER_SECTOR = SECTOR / 4;
/** IEEE 1619, 5.2: what a carry out of the highest bit adds. */
const POLYNOMIAL = 0x87;

/**
 * XTS (IEEE 1619): each block is encrypted between two exclusive-ors with its tweak. The tweaks of a whole request are
 * made first, so that the blocks go to the cipher in one call: setting up an XTS cipher for each sector is slower by far.
 */
export function xts(data: BlockCipher, tweak: BlockCipher, vectors: InitialVectors): SectorCipher {
  let tweaks = new Int32Array(0); // kept from one request to the next, nothing but room
  const through = (cipher: (bytes: Uint8Array) => Uint8Array, bytes: Uint8Array, sector: number): void => {
    const masked = words(bytes);
    if (tweaks.length < masked.length) tweaks = new Int32Array(masked.length);
    applyTweaks(masked, words(tweak.encrypt(vectors(sector, bytes.length / SECTOR))), tweaks);
    xorOf(masked, words(cipher(bytesOf(masked))), tweaks);
    if (masked.buffer !== bytes.buffer) bytes.set(bytesOf(masked));
  };
  return {
    decrypt: (bytes, sector) => through((blocks) => data.decrypt(blocks), bytes, sector),
    encrypt: (bytes, sector) => through((blocks) => data.encrypt(blocks), bytes, sector),
  };
}

/**
 * From the encrypted vector of each sector, the tweaks of its 32 blocks: each the one before, times x in GF(2^128).
 * Combines every block with its tweak, and leaves the tweaks for the second time.
 */
function applyTweaks(blocks: Int32Array, firsts: Int32Array, tweaks: Int32Array): void {
  for (let sector = 0; sector * WORDS_PER_SECTOR < blocks.length; sector++) {
    let a = firsts[sector * 4] as number;
    let b = firsts[sector * 4 + 1] as number;
    let c = firsts[sector * 4 + 2] as number;
    let d = firsts[sector * 4 + 3] as number;
    const end = (sector + 1) * WORDS_PER_SECTOR;
    for (let at = sector * WORDS_PER_SECTOR; at < end; at += 4) {
      tweaks[at] = a;
      tweaks[at + 1] = b;
      tweaks[at + 2] = c;
      tweaks[at + 3] = d;
      blocks[at] = (blocks[at] as number) ^ a;
      blocks[at + 1] = (blocks[at + 1] as number) ^ b;
      blocks[at + 2] = (blocks[at + 2] as number) ^ c;
      blocks[at + 3] = (blocks[at + 3] as number) ^ d;
      const carry = d >> 31; // all ones, or none
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ (carry & POLYNOMIAL);
    }
  }
}
