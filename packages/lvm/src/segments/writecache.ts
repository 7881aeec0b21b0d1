import { DiskError } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import {
  decodeWritecache,
  ENTRIES_AT,
  ENTRY_BYTES,
  WRITECACHE_SUPERBLOCK,
  type WritecacheSuperblock,
  writecacheEntry,
} from '../layout/writecache.ts';
import { textOf } from '../metadata/config.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { BlockMap, checkEntries, LazyBlockMap } from '../targets/block-map.ts';
import { overlay } from '../targets/overlay.ts';
import { eachRecord } from '../targets/pieces.ts';
import { sortedOrder } from '../targets/sorted-order.ts';
import { slice, type Target } from '../targets/target.ts';

/** All entries are read, but only the committed ones are kept. So the entries may have this many times `maxTableBytes`. */
const MAX_TABLES = 16;

/** lvm2 `lib/writecache/writecache.c`: the most recent writes are on a fast volume, the rest is on the origin. */
export const writecache: SegmentType = {
  names: ['writecache'],
  async open({ fields }, size, context) {
    const origin = slice(await context.volume(textOf(fields, 'origin')), 0, size);
    const store = await context.volume(textOf(fields, 'writecache'));
    const header = new Uint8Array(WRITECACHE_SUPERBLOCK.size);
    await context.reader.read(store, 0, header);
    const superblock = decodeWritecache(header);
    const { blocks, blockBytes, dataAt } = superblock;
    if (dataAt + blocks * blockBytes > store.size) {
      throw new DiskError(
        'ERR_CORRUPT',
        `the writecache has ${blocks} blocks of ${blockBytes} bytes, but its volume has ${store.size} bytes`,
      );
    }
    if (blocks * ENTRY_BYTES > MAX_TABLES * context.limits.maxTableBytes) {
      const most = MAX_TABLES * context.limits.maxTableBytes;
      throw new DiskError(
        'ERR_LIMIT',
        `the writecache has ${blocks * ENTRY_BYTES} bytes of entries; ${MAX_TABLES} times maxTableBytes allows ${most}`,
        { hint: { option: 'limits', name: 'maxTableBytes' } },
      );
    }
    const table = new LazyBlockMap(() => readEntries(store, superblock, context));
    context.needs(table);
    return overlay({ size, origin, store, blockBytes, table });
  },
};

/** Reads the committed entries. If a block has several, the newest wins. */
async function readEntries(
  store: Target,
  superblock: WritecacheSuperblock,
  context: SegmentContext,
): Promise<BlockMap> {
  const { blocks, blockBytes, dataAt, seqCount } = superblock;
  const seqs: number[] = [];
  const found: number[] = []; // blocks
  const places: number[] = [];
  await eachRecord(context.reader, store, ENTRIES_AT, blocks, ENTRY_BYTES, (view, inPiece, index) => {
    const { sector, seq } = writecacheEntry(view, inPiece);
    if (seq >= seqCount) return true;
    const block = (sector * SECTOR) / blockBytes;
    if (!Number.isSafeInteger(block)) {
      throw new DiskError(
        'ERR_CORRUPT',
        `entry ${index} of the writecache is for sector ${sector}, which is not the start of a block of ${blockBytes} bytes`,
      );
    }
    found.push(block);
    seqs.push(seq);
    places.push(dataAt + index * blockBytes);
    if (found.length % 4096 === 0) checkEntries(found.length, 'a writecache', context.limits);
    return true;
  });
  checkEntries(found.length, 'a writecache', context.limits);
  const order = Array.from(await sortedOrder(Float64Array.from(seqs)));
  const byAge = (numbers: readonly number[]): number[] => order.map((index) => numbers[index] ?? 0);
  return await BlockMap.of(byAge(found), byAge(places));
}
