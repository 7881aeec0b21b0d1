import { DiskError, hex } from '@diskstack/core';
import { bytes, offset64, SECTOR, struct, u32 } from '@diskstack/core/format';
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
/** Size of every metadata block of thin pools and caches, in bytes. */
export const METADATA_BLOCK = 4096;
/** `THIN_METADATA_NEEDS_CHECK_FLAG`: a metadata operation failed. */
const NEEDS_CHECK = 1;

/** The superblock of the metadata of a thin pool. */
export interface ThinSuperblock {
  /** Root block of the B-tree that maps device ids to the roots of their mappings. */
  readonly dataMappingRoot: number;
  /** Size of a data block in bytes. */
  readonly dataBlockBytes: number;
  readonly transactionId: number;
  /** A metadata operation failed. The kernel makes the pool read-only until thin_check has run. */
  readonly needsCheck: boolean;
}

export function decodeThinSuperblock(block: Uint8Array): ThinSuperblock {
  const { at } = THIN_SUPERBLOCK;
  const corrupt = (reason: string, offset: number) =>
    new DiskError('ERR_CORRUPT', `thin pool metadata: ${reason}`, { offset });
  const decoded = THIN_SUPERBLOCK.decode(block);
  if (decoded.magic !== THIN_MAGIC)
    throw corrupt(`the magic is ${hex(decoded.magic)}, not ${hex(THIN_MAGIC)}`, at.magic);
  const found = dmBlockChecksum(block, DM_BLOCK_SALT.thinSuperblock);
  if (found !== decoded.csum)
    throw corrupt(
      `the superblock has the checksum ${hex(found)}, but it records ${hex(decoded.csum)}`,
      at.csum,
    );
  if (decoded.blocknr !== 0)
    throw corrupt(`the superblock records that it is block ${decoded.blocknr}, not 0`, at.blocknr);
  if (decoded.version > MAX_VERSION || decoded.incompatFlags !== 0) {
    const reason = `thin pool metadata of version ${decoded.version} with the incompatible features ${hex(decoded.incompatFlags)}; versions up to ${MAX_VERSION} without such features are read`;
    throw new DiskError('ERR_UNSUPPORTED', reason, { offset: at.version });
  }
  if (decoded.metadataBlockSize * SECTOR !== METADATA_BLOCK)
    throw corrupt(
      `metadata blocks have ${decoded.metadataBlockSize} sectors, not ${METADATA_BLOCK / SECTOR}`,
      at.metadataBlockSize,
    );
  if (decoded.dataBlockSize === 0) throw corrupt('data blocks have 0 sectors', at.dataBlockSize);
  return {
    dataMappingRoot: decoded.dataMappingRoot,
    dataBlockBytes: decoded.dataBlockSize * SECTOR,
    transactionId: decoded.transId,
    needsCheck: (decoded.flags & NEEDS_CHECK) !== 0,
  };
}
