import { bits64, bytes, struct, u32 } from '@diskstack/core';
import { SECTOR } from '../units.ts';

/** Linux `drivers/md/md-bitmap.h`, `struct bitmap_super_s`, up to what is read of it. */
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
/** `BITMAP_STALE` and `BITMAP_WRITE_ERROR`: what the bits say is not current. */
const NOT_CURRENT = (1 << 1) | (1 << 2);
/** Byte of a metadata volume where the bitmap is, and byte of the bitmap where its bits begin. */
export const BITMAP_AT = 4096;
export const BITS_AT = 256;

/** Which regions of the images may have been under way when the set stopped. */
export interface RaidBitmap {
  readonly events: bigint;
  readonly isCurrent: boolean;
  /** Bytes of each image that a bit stands for. */
  readonly regionBytes: number;
  readonly regions: number;
}

/** `undefined` where there is none. */
export function decodeRaidBitmap(block: Uint8Array): RaidBitmap | undefined {
  const { magic, events, syncSize, state, chunkSize } = RAID_BITMAP.decode(block);
  if (magic !== BITMAP_MAGIC || chunkSize === 0) return undefined;
  const regions = Math.ceil((Number(syncSize) * SECTOR) / chunkSize);
  return { events, isCurrent: (state & NOT_CURRENT) === 0, regionBytes: chunkSize, regions };
}
