/** Encrypts and decrypts whole sectors of 512 bytes in place; `sector` is the number of the first one. */
export interface SectorCipher {
  decrypt(bytes: Uint8Array, sector: number): void;
  encrypt(bytes: Uint8Array, sector: number): void;
}
