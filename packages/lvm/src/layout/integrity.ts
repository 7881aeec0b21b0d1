import { bytes, DiskError, decodeText, offset64, roundUp, struct, u8, u16, u32 } from '@diskstack/core';
import { SECTOR } from '../units.ts';

/** Linux `drivers/md/dm-integrity.c`, `struct superblock`, up to what is read of it. */
export const INTEGRITY_SUPERBLOCK = struct('little', {
  magic: bytes(8),
  version: u8,
  log2InterleaveSectors: u8,
  integrityTagSize: u16,
  journalSections: u32,
  providedDataSectors: offset64,
  flags: u32,
  log2SectorsPerBlock: u8,
});

const INTEGRITY_MAGIC = 'integrt\0';
const MAX_VERSION = 6;
const HAVE_JOURNAL_MAC = 1;
/** `SB_SECTORS`: the journal follows them. */
const SUPERBLOCK_SECTORS = 8;
/** `JOURNAL_BLOCK_SECTORS`: each section begins with so many sectors of entries. */
const ENTRY_SECTORS = 8;
/** Bytes that each of them ends with: a commit id, and with MACs a part of one. */
const COMMIT_ID_BYTES = 8;
const MAC_BYTES = 8;
/** `journal_entry_is_unused`: the upper half of the sector number. */
const UNUSED = 0xffff_ffff;

/** The journal of an integrity volume: writes that may not be on the origin yet. */
export interface IntegrityJournal {
  readonly sections: number;
  /** Bytes of a section. */
  readonly sectionBytes: number;
  /** Byte of the metadata volume where the first one begins. */
  readonly at: number;
  /** Bytes at the start of a section that hold its entries. */
  readonly entriesBytes: number;
  /** Whether entries of a section are in use. */
  readonly isUsed: (entries: DataView) => boolean;
}

export function decodeIntegrityJournal(superblock: Uint8Array): IntegrityJournal {
  const { magic, version, integrityTagSize, journalSections, flags, log2SectorsPerBlock } =
    INTEGRITY_SUPERBLOCK.decode(superblock);
  const { at } = INTEGRITY_SUPERBLOCK;
  if (decodeText(magic) !== INTEGRITY_MAGIC)
    throw new DiskError('ERR_CORRUPT', 'integrity metadata without its magic', { offset: at.magic });
  if (version < 1 || version > MAX_VERSION)
    throw new DiskError('ERR_UNSUPPORTED', `integrity metadata of version ${version}`, {
      offset: at.version,
    });
  if (log2SectorsPerBlock > 3) {
    const reason = `integrity metadata for blocks of 2^${log2SectorsPerBlock} sectors`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at.log2SectorsPerBlock });
  }
  const sectorsPerBlock = 2 ** log2SectorsPerBlock;
  const entryBytes = roundUp(8 + 8 * sectorsPerBlock + integrityTagSize, 8);
  const room = SECTOR - COMMIT_ID_BYTES - ((flags & HAVE_JOURNAL_MAC) !== 0 ? MAC_BYTES : 0);
  const perSector = Math.floor(room / entryBytes);
  return {
    sections: journalSections,
    sectionBytes: (perSector * ENTRY_SECTORS * sectorsPerBlock + ENTRY_SECTORS) * SECTOR,
    at: SUPERBLOCK_SECTORS * SECTOR,
    entriesBytes: ENTRY_SECTORS * SECTOR,
    isUsed(entries) {
      for (let sector = 0; sector < ENTRY_SECTORS; sector++) {
        for (let index = 0; index < perSector; index++) {
          if (entries.getUint32(sector * SECTOR + index * entryBytes + 4, true) !== UNUSED) return true;
        }
      }
      return false;
    },
  };
}
