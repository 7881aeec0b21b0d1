import { DiskError, quote } from '@diskstack/core';
import { breathe, SECTOR } from '@diskstack/core/format';
import { decodeArrayBlock } from '../layout/array-block.ts';
import {
  type CacheSuperblock,
  decodeCacheMapping,
  decodeCacheSuperblock,
} from '../layout/cache-superblock.ts';
import { type ConfigSection, numberOf, optionalTextOf, textOf } from '../metadata/config.ts';
import { findInTree, valueNumber } from '../persistent-data/btree.ts';
import { MetadataBlocks } from '../persistent-data/metadata-blocks.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { BlockMap, checkEntries, LazyBlockMap } from '../targets/block-map.ts';
import { overlay } from '../targets/overlay.ts';
import { slice, type Target } from '../targets/target.ts';

interface CacheParts {
  readonly metadata: Target;
  readonly data: Target;
  /** The section that holds the mode and the chunk size of the cache. */
  readonly settings: ConfigSection;
}

/**
 * lvm2 `lib/cache_segtype/cache.c`: a cache of the origin on a fast volume. A mapped block is at least as new as the origin:
 * the kernel commits a mapping before it completes the write. So all mapped blocks are read from the cache, and it does
 * not matter that the dirty flags are lost in a crash.
 */
export const cache: SegmentType = {
  names: ['cache'],
  async open({ fields }, size, context) {
    const origin = slice(await context.volume(textOf(fields, 'origin')), 0, size);
    const { metadata, data, settings } = await openParts(fields, context);
    const blocks = new MetadataBlocks(metadata, context.reader, context.limits);
    const superblock = decodeCacheSuperblock(await blocks.block(0));
    const { dataBlockBytes, cacheBlocks } = superblock;
    const chunk = numberOf(settings, 'chunk_size', dataBlockBytes / SECTOR) * SECTOR;
    if (chunk !== dataBlockBytes)
      throw new DiskError(
        'ERR_CORRUPT',
        `the cache metadata has blocks of ${dataBlockBytes} bytes, but the volume group has chunks of ${chunk}`,
      );
    if (cacheBlocks * dataBlockBytes > data.size)
      throw new DiskError(
        'ERR_CORRUPT',
        `the cache has ${cacheBlocks} blocks of ${dataBlockBytes} bytes, but its data volume has ${data.size} bytes`,
      );
    if (superblock.needsCheck)
      context.warn(
        `the cache of ${quote(context.lv.name)} is marked needs_check: its last writes may be lost; run cache_check or cache_repair`,
      );
    if (optionalTextOf(settings, 'cache_mode') === 'passthrough') return origin; // the kernel reads the origin, too; this mode requires a clean cache
    const table = new LazyBlockMap(() => readMappings(blocks, superblock, context));
    context.needs(table);
    return overlay({ size, origin, store: data, blockBytes: dataBlockBytes, table });
  },
};

/** A cache pool has two volumes, for metadata and data. A cachevol is one volume, and the segment has the offsets of both parts. */
async function openParts(fields: ConfigSection, context: SegmentContext): Promise<CacheParts> {
  const name = textOf(fields, 'cache_pool');
  const [pool] = context.model(name).segments;
  if (pool?.type === 'cache-pool') {
    const metadata = await context.volume(textOf(pool.fields, 'metadata'));
    return { metadata, data: await context.volume(textOf(pool.fields, 'data')), settings: pool.fields };
  }
  const volume = await context.volume(name);
  const part = (key: string): Target =>
    slice(volume, numberOf(fields, `${key}_start`) * SECTOR, numberOf(fields, `${key}_len`) * SECTOR);
  return { metadata: part('metadata'), data: part('data'), settings: fields };
}

/** Reads the mapping array: for each block of the cache, the block of the origin. Its blocks are the values of a B-tree. */
async function readMappings(
  blocks: MetadataBlocks,
  superblock: CacheSuperblock,
  context: SegmentContext,
): Promise<BlockMap> {
  const { mappingRoot, cacheBlocks, dataBlockBytes } = superblock;
  checkEntries(cacheBlocks, 'a cache', context.limits);
  const origins: number[] = [];
  const places: number[] = [];
  let cacheBlock = 0;
  for (let index = 0; cacheBlock < cacheBlocks; index++) {
    const { leaf, index: entry } = await findInTree(blocks, mappingRoot, index);
    if (leaf?.keys[entry] !== index)
      throw new DiskError(
        'ERR_CORRUPT',
        `the mappings of the cache end at block ${cacheBlock}, but the cache has ${cacheBlocks} blocks`,
      );
    const number = valueNumber(leaf, entry);
    const { entries, view } = decodeArrayBlock(await blocks.block(number), number);
    if (entries === 0) throw new DiskError('ERR_CORRUPT', `array block ${number} of the cache is empty`);
    const pause = breathe();
    if (pause !== undefined) await pause;
    for (let value = 0; value < entries && cacheBlock < cacheBlocks; value++, cacheBlock++) {
      const mapping = decodeCacheMapping(
        view.getUint32(value * 8 + 4, true),
        view.getUint32(value * 8, true),
      );
      if (!mapping.isValid) continue;
      origins.push(mapping.originBlock);
      places.push(cacheBlock * dataBlockBytes);
    }
  }
  return await BlockMap.of(origins, places);
}
