import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FileDisk } from './file-disk.ts';
import { fileError } from './file-errors.ts';

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

/** Files that this process has begun. */
let begun = 0;

/**
 * Begins a file of `size` bytes beside `path`, sparse; `commit` renames it over what stands there. A block device is
 * written in place.
 */
export async function createOutputFile(path: string, size: number): Promise<OutputFile> {
  try {
    const target = await targetOf(path);
    const existing = await stat(target).catch(() => undefined);
    if (existing !== undefined && !existing.isFile()) return await openDevice(target);
    // Nobody else's: the file must not be there yet. Web Crypto would take 10 ms to make a better name.
    const partial = `${target}.${process.pid}-${Date.now().toString(36)}-${begun++}.partial`;
    const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    try {
      if (existing !== undefined) await takeOver(file, existing);
      // Not to 0: ext4 takes that for a file that is about to be replaced, and writes all of it out when it is closed.
      if (size > 0) await file.truncate(size);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    const disk = new FileDisk(partial, { writable: true });
    await disk.init();
    return {
      disk,
      startsAsZeroes: true,
      async commit({ sync = false } = {}) {
        if (sync) await disk.flush();
        await disk.close();
        try {
          await rename(partial, target);
          if (sync) await syncFolder(dirname(target));
        } catch (error) {
          throw fileError(error, path);
        }
      },
      async discard() {
        await disk.close();
        await rm(partial, { force: true });
      },
    };
  } catch (error) {
    throw fileError(error, path);
  }
}

/** A symbolic link stays, and what it leads to is replaced; one that leads nowhere leads to the new file then. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? path : await targetOf(resolve(dirname(path), link));
  }
}

/** Whoever may read the file that is replaced may read the new one, and nobody else. */
async function takeOver(file: FileHandle, { mode, uid, gid }: Stats): Promise<void> {
  await file.chown(uid, gid).catch(() => {}); // of another owner's file: for the superuser alone
  const own = await file.stat();
  const group = own.gid === gid ? 0o070 : 0; // what the old group might do is not for another one
  await file.chmod(mode & (0o707 | group));
}

/** A new name is on stable storage only with its folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
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
