/** The unit that disk encryption works in, in bytes. */
export const SECTOR = 512;
