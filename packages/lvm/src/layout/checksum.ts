import { crc32, crc32c } from '@diskstack/core';

/** lvm2 `lib/misc/crc.c`: CRC-32 with a start value of its own, and without the final inversion. */
const INITIAL_CRC = 0xf597_a6cf;

/** The check of labels, metadata area headers and metadata texts. */
export function lvmCrc(bytes: Uint8Array, initial: number = INITIAL_CRC): number {
  return crc32(bytes, initial, 0);
}

/** What each kind of block of device-mapper's persistent data mixes into its checksum: a block of another kind never fits. */
export const DM_BLOCK_SALT = {
  thinSuperblock: 160774,
  btreeNode: 121107,
  arrayBlock: 595846735,
  cacheSuperblock: 9031977,
} as const;

/** `dm_bm_checksum`: CRC-32C of a block after its first four bytes, which hold the result. */
export function dmBlockChecksum(block: Uint8Array, salt: number): number {
  return (crc32c(block.subarray(4), 0xffff_ffff, 0) ^ salt) >>> 0;
}
