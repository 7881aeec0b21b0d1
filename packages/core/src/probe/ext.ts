import { u32 } from '../binary/fields.ts';
import { struct } from '../binary/struct.ts';

/** Byte offset of the feature words. The ext superblock begins 1024 bytes from the start of the disk. */
const FEATURES_AT = 1024 + 0x5c;
const FEATURES = struct('little', { compat: u32, incompat: u32, roCompat: u32 });

const COMPAT_HAS_JOURNAL = 0x4;
const INCOMPAT_JOURNAL_DEV = 0x8;
/** Incompatible features that ext3 supports: filetype, recover, journal device, meta_bg. */
const INCOMPAT_OF_EXT3 = 0x2 | 0x4 | 0x8 | 0x10;
/** Read-only compatible features that ext3 supports: sparse_super, large_file, btree_dir. */
const RO_COMPAT_OF_EXT3 = 0x1 | 0x2 | 0x4;

/**
 * The member of the ext family: `'ext2'`, `'ext3'`, `'ext4'` or `'jbd'`. A feature that the older members lack makes it
 * a newer one.
 */
export function extName(head: Uint8Array): string {
  if (head.length < FEATURES_AT + FEATURES.size) return 'ext2';
  const { compat, incompat, roCompat } = FEATURES.decode(head.subarray(FEATURES_AT));
  if (incompat & INCOMPAT_JOURNAL_DEV) return 'jbd';
  if (incompat & ~INCOMPAT_OF_EXT3 || roCompat & ~RO_COMPAT_OF_EXT3) return 'ext4';
  return compat & COMPAT_HAS_JOURNAL ? 'ext3' : 'ext2';
}
