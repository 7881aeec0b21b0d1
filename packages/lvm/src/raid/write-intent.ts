import { BITMAP_AT, BITS_AT, decodeRaidBitmap, RAID_BITMAP } from '../layout/raid-bitmap.ts';
import type { SegmentContext } from '../segment-type.ts';

/** Whether bytes `start` to `end` of the images may have been written when the set stopped: their parity may be out of date. */
export type MayBeBehind = (start: number, end: number) => boolean;

/** Reads the write-intent bitmap on a metadata volume whose superblock has `events` events; `undefined` if it has none. */
export async function readWriteIntent(
  metadata: string,
  events: bigint,
  context: SegmentContext,
): Promise<MayBeBehind | undefined> {
  const { reader, limits } = context;
  const volume = await context.volume(metadata);
  if (volume.size < BITMAP_AT + BITS_AT) return undefined;
  const header = new Uint8Array(RAID_BITMAP.size);
  await reader.read(volume, BITMAP_AT, header);
  const bitmap = decodeRaidBitmap(header);
  if (bitmap === undefined) return undefined;
  const { regionBytes, regions } = bitmap;
  const length = Math.ceil(regions / 8);
  const isThere = BITMAP_AT + BITS_AT + length <= volume.size && length <= limits.maxTableBytes;
  if (!isThere || !bitmap.isCurrent || bitmap.events < events) return () => true; // the kernel would resynchronise the whole set
  const bits = new Uint8Array(length);
  await reader.read(volume, BITMAP_AT + BITS_AT, bits);
  return (start, end) => {
    for (let region = Math.floor(start / regionBytes); region * regionBytes < end; region++)
      if ((((bits[region >>> 3] ?? 0xff) >>> (region & 7)) & 1) === 1) return true;
    return false;
  };
}
