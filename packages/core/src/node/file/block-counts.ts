import { promises as fs } from 'node:fs';

/** Block size from which on a block of `BLOCK` bytes is allocated as one. */
export const BLOCK = 4096;

/** Magic numbers of `statfs` (linux/magic.h): ext2 to ext4, XFS, tmpfs. */
const HONEST: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994]);

/**
 * Whether the file system counts the blocks of a file so that data is in them and nowhere else. Many do not: those that
 * compress count compressed bytes (Btrfs, ZFS), archives move the content away and count 0, and others, of FUSE and of
 * the network, leave the count at 0.
 */
export async function countsBlocks(path: string): Promise<boolean> {
  try {
    const { type, bsize } = await fs.statfs(path);
    return HONEST.has(type) && bsize >= BLOCK;
  } catch {
    return false;
  }
}
