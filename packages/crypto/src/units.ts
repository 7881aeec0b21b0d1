/** Size of an encryption sector in bytes: dm-crypt and LUKS 1 number sectors of 512 bytes. */
export const SECTOR = 512;
