import { DiskError, hex } from '@diskstack/core';
import { joinHalves, offset64, roundUp, struct, u32 } from '@diskstack/core/format';

/** Linux `drivers/md/dm-writecache.c`, `struct wc_memory_superblock`, without the entries that follow it. */
export const WRITECACHE_SUPERBLOCK = struct('little', {
  magic: u32,
  version: u32,
  blockSize: u32,
  pad: u32,
  nBlocks: offset64,
  seqCount: offset64,
});

const WRITECACHE_MAGIC = 0x2348_9321;
const WRITECACHE_VERSION = 1;
/** The byte at which the entries start, and the size of an entry: a sector of the origin, and a sequence number. */
export const ENTRIES_AT = 64;
export const ENTRY_BYTES = 16;

export interface WritecacheSuperblock {
  readonly blockBytes: number;
  readonly blocks: number;
  /** Entries with a lower sequence number are committed. */
  readonly seqCount: number;
  /** The byte of the cache volume at which block 0 starts. */
  readonly dataAt: number;
}

export function decodeWritecache(block: Uint8Array): WritecacheSuperblock {
  const { magic, version, blockSize, nBlocks, seqCount } = WRITECACHE_SUPERBLOCK.decode(block);
  const { at } = WRITECACHE_SUPERBLOCK;
  if (magic !== WRITECACHE_MAGIC)
    throw new DiskError(
      'ERR_CORRUPT',
      `the writecache has the magic ${hex(magic)}, not ${hex(WRITECACHE_MAGIC)}`,
      { offset: at.magic },
    );
  if (version !== WRITECACHE_VERSION)
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `a writecache of version ${version}; version ${WRITECACHE_VERSION} is read`,
      { offset: at.version },
    );
  const isPower = blockSize >= 512 && blockSize <= 65_536 && (blockSize & (blockSize - 1)) === 0;
  if (!isPower)
    throw new DiskError(
      'ERR_CORRUPT',
      `the writecache has blocks of ${blockSize} bytes, which is not a power of two from 512 to 65536`,
      { offset: at.blockSize },
    );
  const dataAt = roundUp(ENTRIES_AT + nBlocks * ENTRY_BYTES, blockSize);
  return { blockBytes: blockSize, blocks: nBlocks, seqCount, dataAt };
}

/** The value of the fields of an unused entry, which have all bits set. */
const UNUSED = Number.POSITIVE_INFINITY;

/** Entry number `index`: the sector of the origin that the cached block starts at, and the sequence number. */
export function writecacheEntry(
  entries: DataView,
  index: number,
): { readonly sector: number; readonly seq: number } {
  const at = index * ENTRY_BYTES;
  return { sector: u64(entries, at), seq: u64(entries, at + 8) };
}

function u64(view: DataView, at: number): number {
  return joinHalves(view.getUint32(at + 4, true), view.getUint32(at, true)) ?? UNUSED;
}
