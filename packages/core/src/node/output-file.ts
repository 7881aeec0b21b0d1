import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FileDisk } from './file-disk.ts';
import { fileError } from './file-errors.ts';

/** A file that is being made: it takes its name only when it is whole. */
export interface OutputFile {
  readonly disk: FileDisk;
  /** True when what is not written reads as zeroes: a new file, not a device. */
  readonly startsAsZeroes: boolean;
  /** Everything is on stable storage, under its name. */
  commit(): Promise<void>;
  /** Nothing of it is left. */
  discard(): Promise<void>;
}

/**
 * Begins a file of `size` bytes beside `path`, sparse; `commit` renames it over what stands there. A block device is
 * written in place.
 */
export async function createOutputFile(path: string, size: number): Promise<OutputFile> {
  try {
    const target = await realpath(path).catch(() => path); // a symbolic link stays, and what it leads to is replaced
    const existing = await stat(target).catch(() => undefined);
    if (existing !== undefined && !existing.isFile()) return await openDevice(target);
    const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
    const file = await open(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    try {
      await file.truncate(size);
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
      async commit() {
        await disk.flush();
        await disk.close();
        try {
          await rename(partial, target);
          await syncFolder(dirname(target));
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
    async commit() {
      await disk.flush();
      await disk.close();
    },
    discard: () => disk.close(),
  };
}
