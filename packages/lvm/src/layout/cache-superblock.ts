import { bytes, DiskError, hex, offset64, struct, u32 } from '@diskstack/core';
import { SECTOR } from '../units.ts';
import { DM_BLOCK_SALT, dmBlockChecksum } from './checksum.ts';
import { METADATA_BLOCK } from './thin-superblock.ts';

/** Linux `drivers/md/dm-cache-metadata.c`, `struct cache_disk_superblock`, up to what is read of it. */
const CACHE_SUPERBLOCK = struct('little', {
  csum: u32,
  flags: u32,
  blocknr: offset64,
  uuid: bytes(16),
  magic: offset64,
  version: u32,
  policyName: bytes(16),
  policyHintSize: u32,
  metadataSpaceMapRoot: bytes(128),
  mappingRoot: offset64,
  hintRoot: offset64,
  discardRoot: offset64,
  discardBlockSize: offset64,
  discardNrBlocks: offset64,
  dataBlockSize: u32,
  metadataBlockSize: u32,
  cacheBlocks: u32,
  compatFlags: u32,
  compatRoFlags: u32,
  incompatFlags: u32,
});

const CACHE_MAGIC = 0o6142003;
const MAX_VERSION = 2;
/** `enum superblock_flag_bits`, `NEEDS_CHECK`: a change of the metadata has failed. */
const NEEDS_CHECK = 2;

/** What the metadata of a cache begins with. */
export interface CacheSuperblock {
  /** Root of the array that says which block of the origin each block of the cache holds. */
  readonly mappingRoot: number;
  readonly dataBlockBytes: number;
  /** Blocks of the cache. */
  readonly cacheBlocks: number;
  readonly needsCheck: boolean;
}

export function decodeCacheSuperblock(block: Uint8Array): CacheSuperblock {
  const { at } = CACHE_SUPERBLOCK;
  const corrupt = (reason: string, offset: number) =>
    new DiskError('ERR_CORRUPT', `cache metadata: ${reason}`, { offset });
  const decoded = CACHE_SUPERBLOCK.decode(block);
  if (decoded.magic !== CACHE_MAGIC) throw corrupt(`the magic ${hex(decoded.magic)}`, at.magic);
  const found = dmBlockChecksum(block, DM_BLOCK_SALT.cacheSuperblock);
  if (found !== decoded.csum)
    throw corrupt(`a superblock with the checksum ${hex(found)}, ${hex(decoded.csum)} is recorded`, at.csum);
  if (decoded.blocknr !== 0) throw corrupt(`a superblock of block ${decoded.blocknr}`, at.blocknr);
  if (decoded.version < 1 || decoded.version > MAX_VERSION || decoded.incompatFlags !== 0) {
    const reason = `cache metadata of version ${decoded.version} with the incompatible features ${hex(decoded.incompatFlags)}`;
    throw new DiskError('ERR_UNSUPPORTED', reason, { offset: at.version });
  }
  if (decoded.metadataBlockSize * SECTOR !== METADATA_BLOCK)
    throw corrupt(`metadata blocks of ${decoded.metadataBlockSize} sectors`, at.metadataBlockSize);
  if (decoded.dataBlockSize === 0) throw corrupt('data blocks of 0 sectors', at.dataBlockSize);
  const { mappingRoot, cacheBlocks } = decoded;
  const needsCheck = (decoded.flags & NEEDS_CHECK) !== 0;
  return { mappingRoot, cacheBlocks, dataBlockBytes: decoded.dataBlockSize * SECTOR, needsCheck };
}

/** A value of the mapping array: a valid one names a block of the origin in its upper 48 bits. */
export function decodeCacheMapping(
  hi: number,
  lo: number,
): { readonly isValid: boolean; readonly originBlock: number } {
  return { isValid: (lo & 1) !== 0, originBlock: hi * 0x1_0000 + (lo >>> 16) };
}
