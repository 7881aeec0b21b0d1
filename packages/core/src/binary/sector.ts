/** Bytes of the sector in which formats count, independent of the sector size of the device. */
export const SECTOR = 512;
