import {
  close,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  ftruncateSync,
  openSync,
  readlinkSync,
  realpathSync,
  rename,
  rm,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { FileDisk } from './file-disk.ts';
import { fileError } from './file-errors.ts';
import { lockFile } from './locks/image-lock.ts';

/** A file that is being made: it takes its name only when it is whole. */
export interface OutputFile {
  readonly disk: FileDisk;
  /** True when what is not written reads as zeroes: a new file, not a device. */
  readonly startsAsZeroes: boolean;
  /** The file takes its name; with `sync` once everything is on stable storage. */
  commit(options?: { readonly sync?: boolean }): Promise<void>;
  /** Nothing of it is left. */
  discard(): Promise<void>;
}

// What may have to wait for the disk: the file that is replaced, or removed, gives its blocks back. The rest takes no time.
const renameAsync = promisify(rename);
const removeAsync = promisify(rm);
const syncAsync = promisify(fsync);
const closeAsync = promisify(close);

/** Files that this process has begun. */
let begun = 0;

/**
 * Begins a file of `size` bytes beside `path`, sparse; `commit` renames it over what stands there. A block device is
 * written in place.
 */
export async function createOutputFile(path: string, size: number): Promise<OutputFile> {
  let unlock = (): void => {};
  try {
    const target = targetOf(path);
    const existing = statSync(target, { throwIfNoEntry: false });
    if (existing !== undefined && !existing.isFile()) return await openDevice(target);
    // What another process has open would go on under no name, and with it what that process writes.
    if (existing !== undefined) unlock = lockFile(target);
    // Nobody else's: the file must not be there yet. Web Crypto would take 10 ms to make a better name.
    const partial = `${target}.${process.pid}-${Date.now().toString(36)}-${begun++}.partial`;
    const fd = openSync(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    try {
      if (existing !== undefined) takeOver(fd, existing);
      // Not to 0: ext4 takes that for a file that is about to be replaced, and writes all of it out when it is closed.
      if (size > 0) ftruncateSync(fd, size);
    } catch (error) {
      await removeAsync(partial, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    const disk = new FileDisk(partial, { writable: true, locking: 'off' }); // nobody else knows its name
    await disk.init();
    return {
      disk,
      startsAsZeroes: true,
      async commit({ sync = false } = {}) {
        if (sync) await disk.flush();
        await disk.close();
        try {
          await renameAsync(partial, target);
          if (sync) await syncFolder(dirname(target));
        } catch (error) {
          throw fileError(error, path);
        }
        unlock();
      },
      async discard() {
        await disk.close();
        await removeAsync(partial, { force: true });
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw fileError(error, path);
  }
}

/** A symbolic link stays, and what it leads to is replaced; one that leads nowhere leads to the new file then. */
function targetOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const link = linkOf(path);
    return link === undefined ? path : targetOf(resolve(dirname(path), link));
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // nothing stands there
  }
}

/** Whoever may read the file that is replaced may read the new one, and nobody else. */
function takeOver(fd: number, { mode, uid, gid }: Stats): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // another owner's file: for the superuser alone
  }
  const group = fstatSync(fd).gid === gid ? 0o070 : 0; // what the old group might do is not for another one
  fchmodSync(fd, mode & (0o707 | group));
}

/** A new name is on stable storage only with its folder. */
async function syncFolder(folder: string): Promise<void> {
  const fd = openSync(folder, constants.O_RDONLY);
  try {
    await syncAsync(fd);
  } finally {
    await closeAsync(fd);
  }
}

async function openDevice(path: string): Promise<OutputFile> {
  const disk = new FileDisk(path, { writable: true });
  await disk.init();
  return {
    disk,
    startsAsZeroes: false,
    async commit({ sync = false } = {}) {
      if (sync) await disk.flush();
      await disk.close();
    },
    discard: () => disk.close(),
  };
}
