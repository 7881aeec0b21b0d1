/** Bytes of the sector that formats count in, whatever the sectors of the device are. */
export const SECTOR = 512;
