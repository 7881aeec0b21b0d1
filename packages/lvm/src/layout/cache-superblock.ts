import { DiskError, hex } from '@diskstack/core';
import { bytes, offset64, SECTOR, struct, u32 } from '@diskstack/core/format';
import { DM_BLOCK_SALT, dmBlockChecksum } from './checksum.ts';
import { METADATA_BLOCK } from './thin-superblock.ts';

/** Linux `drivers/md/dm-cache-metadata.c`, `struct cache_disk_superblock`, up to the last field that is used. */
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
/** `enum superblock_flag_bits`, `NEEDS_CHECK`: a metadata operation failed. */
const NEEDS_CHECK = 2;

/** The superblock of the cache metadata. */
export interface CacheSuperblock {
  /** Root block of the array that maps each block of the cache to a block of the origin. */
  readonly mappingRoot: number;
  /** Size of a block of the cache in bytes. */
  readonly dataBlockBytes: number;
  /** Number of blocks in the cache. */
  readonly cacheBlocks: number;
  readonly needsCheck: boolean;
}

export function decodeCacheSuperblock(block: Uint8Array): CacheSuperblock {
  const { at } = CACHE_SUPERBLOCK;
  const corrupt = (reason: string, offset: number) =>
    new DiskError('ERR_CORRUPT', `cache metadata: ${reason}`, { offset });
  const decoded = CACHE_SUPERBLOCK.decode(block);
  if (decoded.magic !== CACHE_MAGIC)
    throw corrupt(`the magic is ${hex(decoded.magic)}, not ${hex(CACHE_MAGIC)}`, at.magic);
  const found = dmBlockChecksum(block, DM_BLOCK_SALT.cacheSuperblock);
  if (found !== decoded.csum)
    throw corrupt(
      `the superblock has the checksum ${hex(found)}, but it records ${hex(decoded.csum)}`,
      at.csum,
    );
  if (decoded.blocknr !== 0)
    throw corrupt(`the superblock records that it is block ${decoded.blocknr}, not 0`, at.blocknr);
  if (decoded.version < 1 || decoded.version > MAX_VERSION || decoded.incompatFlags !== 0) {
    const reason = `cache metadata of version ${decoded.version} with the incompatible features ${hex(decoded.incompatFlags)}; versions 1 to ${MAX_VERSION} without such features are read`;
    throw new DiskError('ERR_UNSUPPORTED', reason, { offset: at.version });
  }
  if (decoded.metadataBlockSize * SECTOR !== METADATA_BLOCK)
    throw corrupt(
      `metadata blocks have ${decoded.metadataBlockSize} sectors, not ${METADATA_BLOCK / SECTOR}`,
      at.metadataBlockSize,
    );
  if (decoded.dataBlockSize === 0) throw corrupt('data blocks have 0 sectors', at.dataBlockSize);
  const { mappingRoot, cacheBlocks } = decoded;
  const needsCheck = (decoded.flags & NEEDS_CHECK) !== 0;
  return { mappingRoot, cacheBlocks, dataBlockBytes: decoded.dataBlockSize * SECTOR, needsCheck };
}

/** Decodes a value of the mapping array: bit 0 says whether it is valid, the upper 48 bits are the block of the origin. */
export function decodeCacheMapping(
  hi: number,
  lo: number,
): { readonly isValid: boolean; readonly originBlock: number } {
  return { isValid: (lo & 1) !== 0, originBlock: hi * 0x1_0000 + (lo >>> 16) };
}
