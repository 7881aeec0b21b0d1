import { u32 } from '../binary/fields.ts';
import { struct } from '../binary/struct.ts';

/** The feature words of an ext superblock, which is 1024 bytes from the start of its disk. */
const FEATURES_AT = 1024 + 0x5c;
const FEATURES = struct('little', { compat: u32, incompat: u32, roCompat: u32 });

const COMPAT_HAS_JOURNAL = 0x4;
const INCOMPAT_JOURNAL_DEV = 0x8;
/** What ext3 knows: filetype, recover, journal device, meta_bg. */
const INCOMPAT_OF_EXT3 = 0x2 | 0x4 | 0x8 | 0x10;
/** What ext3 knows: sparse_super, large_file, btree_dir. */
const RO_COMPAT_OF_EXT3 = 0x1 | 0x2 | 0x4;

/** Which one of the family it is: a feature that the older ones do not know makes it a newer one. */
export function extName(head: Uint8Array): string {
  if (head.length < FEATURES_AT + FEATURES.size) return 'ext2';
  const { compat, incompat, roCompat } = FEATURES.decode(head.subarray(FEATURES_AT));
  if (incompat & INCOMPAT_JOURNAL_DEV) return 'jbd';
  if (incompat & ~INCOMPAT_OF_EXT3 || roCompat & ~RO_COMPAT_OF_EXT3) return 'ext4';
  return compat & COMPAT_HAS_JOURNAL ? 'ext3' : 'ext2';
}
