import { close, constants, openSync, statSync } from 'node:fs';
import type { Host } from '../../contracts/host.ts';
import { lockForWriting } from './image-lock.ts';

/**
 * Locks a file against other processes until the returned function is called. For work that reads a file first and writes it at
 * the end. Locks of this process do not conflict. Does nothing if the file does not exist.
 *
 * @param host locks bytes of the file, which QEMU sees as well. Without it lock files are made
 */
export async function lockFile(path: string, host?: Host): Promise<() => void> {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || !(stats.isFile() || stats.isBlockDevice())) return () => {};
  const fd = pin(path);
  let isReleased = false;
  const unpin = (): void => {
    if (fd !== undefined) close(fd, () => {}); // asynchronous: closing a large, replaced file frees its blocks
  };
  try {
    const locks = fd === undefined ? undefined : host?.locks;
    const unlock = await lockForWriting({ path, stats, fd: fd ?? -1, locks });
    return () => {
      if (isReleased) return;
      isReleased = true;
      unlock();
      unpin();
    };
  } catch (error) {
    unpin();
    throw error;
  }
}

/**
 * Keeps a file open, so that its inode is not reused while it is locked: another process may replace the file. `undefined` for a
 * file that may be written but not read.
 */
function pin(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
