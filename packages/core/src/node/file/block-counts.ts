import { promises as fs } from 'node:fs';

/** Size of a block in bytes. File systems with blocks of at least this size allocate it as a whole. */
export const BLOCK = 4096;

/** File systems with exact block counts, by their magic numbers in `statfs` (linux/magic.h): ext2 to ext4, XFS, tmpfs. */
const EXACT: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994]);

/**
 * Whether the block count of a file covers exactly the blocks with data. On many file systems it does not: Btrfs and ZFS
 * count compressed bytes, archiving file systems move the content away and count 0, and some FUSE and network file systems
 * always report 0.
 */
export async function countsBlocks(path: string): Promise<boolean> {
  try {
    const { type, bsize } = await fs.statfs(path);
    return EXACT.has(type) && bsize >= BLOCK;
  } catch {
    return false;
  }
}
