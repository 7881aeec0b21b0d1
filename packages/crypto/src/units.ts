/** Bytes of a block of every cipher here. */
export const BLOCK = 16;
/** The unit that disk encryption works in, in bytes. */
export const SECTOR = 512;
