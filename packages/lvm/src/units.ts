/** LVM2 and device-mapper count in sectors of 512 bytes, whatever the sector size of the disk is. */
export const SECTOR = 512;

/** Name of the layout, as errors and reports show it. */
export const LVM2 = 'lvm2';
