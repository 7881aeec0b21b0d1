import { bytes, DiskError, hex, offset64, struct, u32 } from '@diskstack/core';
import { SECTOR } from '../units.ts';
import { DM_BLOCK_SALT, dmBlockChecksum } from './checksum.ts';

/** Linux `drivers/md/dm-thin-metadata.c`, `struct thin_disk_superblock`. */
const THIN_SUPERBLOCK = struct('little', {
  csum: u32,
  flags: u32,
  blocknr: offset64,
  uuid: bytes(16),
  magic: offset64,
  version: u32,
  time: u32,
  transId: offset64,
  heldRoot: offset64,
  dataSpaceMapRoot: bytes(128),
  metadataSpaceMapRoot: bytes(128),
  dataMappingRoot: offset64,
  deviceDetailsRoot: offset64,
  dataBlockSize: u32,
  metadataBlockSize: u32,
  metadataNrBlocks: offset64,
  compatFlags: u32,
  compatRoFlags: u32,
  incompatFlags: u32,
});

const THIN_MAGIC = 27022010;
const MAX_VERSION = 2;
/** Bytes of every block of persistent data. */
export const METADATA_BLOCK = 4096;
/** `THIN_METADATA_NEEDS_CHECK_FLAG`: a change of the metadata has failed. */
const NEEDS_CHECK = 1;

/** What a thin pool's metadata begins with. */
export interface ThinSuperblock {
  /** Block of the tree from device ids to the roots of their mappings. */
  readonly dataMappingRoot: number;
  /** Bytes that are mapped together. */
  readonly dataBlockBytes: number;
  readonly transactionId: number;
  /** A change of the metadata has failed: the kernel gives the pool out for reading alone until it is checked. */
  readonly needsCheck: boolean;
}

export function decodeThinSuperblock(block: Uint8Array): ThinSuperblock {
  const { at } = THIN_SUPERBLOCK;
  const corrupt = (reason: string, offset: number) =>
    new DiskError('ERR_CORRUPT', `thin pool metadata: ${reason}`, { offset });
  const decoded = THIN_SUPERBLOCK.decode(block);
  if (decoded.magic !== THIN_MAGIC) throw corrupt(`the magic ${hex(decoded.magic)}`, at.magic);
  const found = dmBlockChecksum(block, DM_BLOCK_SALT.thinSuperblock);
  if (found !== decoded.csum)
    throw corrupt(`a superblock with the checksum ${hex(found)}, ${hex(decoded.csum)} is recorded`, at.csum);
  if (decoded.blocknr !== 0) throw corrupt(`a superblock of block ${decoded.blocknr}`, at.blocknr);
  if (decoded.version > MAX_VERSION || decoded.incompatFlags !== 0) {
    const reason = `thin pool metadata of version ${decoded.version} with the incompatible features ${hex(decoded.incompatFlags)}`;
    throw new DiskError('ERR_UNSUPPORTED', reason, { offset: at.version });
  }
  if (decoded.metadataBlockSize * SECTOR !== METADATA_BLOCK)
    throw corrupt(`metadata blocks of ${decoded.metadataBlockSize} sectors`, at.metadataBlockSize);
  if (decoded.dataBlockSize === 0) throw corrupt('data blocks of 0 sectors', at.dataBlockSize);
  return {
    dataMappingRoot: decoded.dataMappingRoot,
    dataBlockBytes: decoded.dataBlockSize * SECTOR,
    transactionId: decoded.transId,
    needsCheck: (decoded.flags & NEEDS_CHECK) !== 0,
  };
}
