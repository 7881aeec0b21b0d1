/**
 * Encrypts and decrypts sectors of 512 bytes in place. The length of `bytes` is a multiple of 512, and `sector` is the
 * number of its first sector, from which the initial vectors are made.
 */
export interface SectorCipher {
  decrypt(bytes: Uint8Array, sector: number): void;
  encrypt(bytes: Uint8Array, sector: number): void;
}
