import { bits64, bytes, SECTOR, struct, u32 } from '@diskstack/core/format';

/** Linux `drivers/md/md-bitmap.h`, `struct bitmap_super_s`, up to the last field that is used. */
export const RAID_BITMAP = struct('little', {
  magic: u32,
  version: u32,
  uuid: bytes(16),
  events: bits64,
  eventsCleared: bits64,
  syncSize: bits64,
  state: u32,
  chunkSize: u32,
});

const BITMAP_MAGIC = 0x6d74_6962; // 'bitm'
/** `BITMAP_STALE` and `BITMAP_WRITE_ERROR`: the bits are out of date. */
const NOT_CURRENT = (1 << 1) | (1 << 2);
/** The byte of the metadata volume at which the bitmap starts, and the byte of the bitmap at which its bits start. */
export const BITMAP_AT = 4096;
export const BITS_AT = 256;

/** The write-intent bitmap: regions of the images that may have been written when the set stopped. */
export interface RaidBitmap {
  readonly events: bigint;
  readonly isCurrent: boolean;
  /** Bytes of each image that one bit covers. */
  readonly regionBytes: number;
  readonly regions: number;
}

/** Decodes the header of the bitmap; `undefined` if the set has none. */
export function decodeRaidBitmap(block: Uint8Array): RaidBitmap | undefined {
  const { magic, events, syncSize, state, chunkSize } = RAID_BITMAP.decode(block);
  if (magic !== BITMAP_MAGIC || chunkSize === 0) return undefined;
  const regions = Math.ceil((Number(syncSize) * SECTOR) / chunkSize);
  return { events, isCurrent: (state & NOT_CURRENT) === 0, regionBytes: chunkSize, regions };
}
