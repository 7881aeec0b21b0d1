/** Bytes of a sector in everything that LVM2 and device-mapper count in sectors. */
export const SECTOR = 512;

/** Name of the layout, for errors and for people. */
export const LVM2 = 'lvm2';
