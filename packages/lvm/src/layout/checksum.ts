import { crc32, crc32c } from '@diskstack/core/format';

/** lvm2 `lib/misc/crc.c`: the initial value of its CRC-32, which also omits the final inversion. */
const INITIAL_CRC = 0xf597_a6cf;

/** The CRC of labels, metadata area headers and metadata texts. */
export function lvmCrc(bytes: Uint8Array, initial: number = INITIAL_CRC): number {
  return crc32(bytes, initial, 0);
}

/** Values that device-mapper's persistent data XORs into the checksum of each kind of block, so that kinds cannot be confused. */
export const DM_BLOCK_SALT = {
  thinSuperblock: 160774,
  btreeNode: 121107,
  arrayBlock: 595846735,
  cacheSuperblock: 9031977,
} as const;

/** `dm_bm_checksum`: CRC-32C of a block without its first four bytes, which store the checksum. */
export function dmBlockChecksum(block: Uint8Array, salt: number): number {
  return (crc32c(block.subarray(4), 0xffff_ffff, 0) ^ salt) >>> 0;
}
