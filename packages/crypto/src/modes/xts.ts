import { type BlockCipher, SECTOR } from '@diskstack/core/format';
import type { InitialVectors } from '../initial-vectors.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { bytesOf, words, xorOf } from '../words.ts';

/** IEEE 1619 defines XTS for blocks of 128 bits only. */
export const XTS_BLOCK = 16;
const WORDS_PER_SECTOR = SECTOR / 4;
/** IEEE 1619, 5.2: the feedback of a carry out of the highest bit. */
const POLYNOMIAL = 0x87;

/**
 * XTS (IEEE 1619): each block is XORed with its tweak before and after encryption. The tweaks of a whole request are
 * computed first, so that all blocks go to the cipher in one call. That is much faster than an XTS cipher of the platform,
 * which needs a setup for each sector.
 */
export function xts(data: BlockCipher, tweak: BlockCipher, vectors: InitialVectors): SectorCipher {
  let tweaks = new Int32Array(0); // scratch memory, reused by later requests
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
 * XORs every block with its tweak, and stores the tweaks for the second XOR. The first tweak of a sector is its encrypted
 * initial vector (`firsts`); each further one of the 32 is the previous one times x in GF(2^128).
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
      const carry = d >> 31; // all ones or all zeroes
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ (carry & POLYNOMIAL);
    }
  }
}
