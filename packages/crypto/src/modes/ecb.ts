import type { BlockCipher } from '@diskstack/core/format';
import type { SectorCipher } from '../sector-cipher.ts';

/** ECB (NIST SP 800-38A, 6.1): every block is independent. The sector number is not used. */
export function ecb(cipher: BlockCipher): SectorCipher {
  return {
    decrypt: (bytes) => bytes.set(cipher.decrypt(bytes)),
    encrypt: (bytes) => bytes.set(cipher.encrypt(bytes)),
  };
}
