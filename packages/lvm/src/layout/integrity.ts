import { DiskError } from '@diskstack/core';
import { bytes, decodeText, offset64, roundUp, SECTOR, struct, u8, u16, u32 } from '@diskstack/core/format';

/** Linux `drivers/md/dm-integrity.c`, `struct superblock`, up to the last field that is used. */
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
/** `SB_SECTORS`: the journal follows the superblock. */
const SUPERBLOCK_SECTORS = 8;
/** `JOURNAL_BLOCK_SECTORS`: sectors with entries at the start of each section. */
const ENTRY_SECTORS = 8;
/** Each of these sectors ends with a commit id, and before it with a part of the MAC if the journal has one. */
const COMMIT_ID_BYTES = 8;
const MAC_BYTES = 8;
/** `journal_entry_is_unused`: the upper half of the sector number of an unused entry. */
const UNUSED = 0xffff_ffff;

/** The journal of an integrity volume. It holds writes that may not be on the origin yet. */
export interface IntegrityJournal {
  readonly sections: number;
  /** Size of a section in bytes. */
  readonly sectionBytes: number;
  /** The byte of the metadata volume at which the first section starts. */
  readonly at: number;
  /** Size of the entries at the start of a section, in bytes. */
  readonly entriesBytes: number;
  /** Whether any entry of a section is in use. `entries` are its first `entriesBytes` bytes. */
  readonly isUsed: (entries: DataView) => boolean;
}

export function decodeIntegrityJournal(superblock: Uint8Array): IntegrityJournal {
  const { magic, version, integrityTagSize, journalSections, flags, log2SectorsPerBlock } =
    INTEGRITY_SUPERBLOCK.decode(superblock);
  const { at } = INTEGRITY_SUPERBLOCK;
  if (decodeText(magic) !== INTEGRITY_MAGIC)
    throw new DiskError('ERR_CORRUPT', 'the integrity metadata does not start with "integrt"', {
      offset: at.magic,
    });
  if (version < 1 || version > MAX_VERSION)
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `integrity metadata of version ${version}; versions 1 to ${MAX_VERSION} are read`,
      { offset: at.version },
    );
  if (log2SectorsPerBlock > 3) {
    const reason = `the integrity metadata has blocks of 2^${log2SectorsPerBlock} sectors; at most 2^3 are possible`;
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
