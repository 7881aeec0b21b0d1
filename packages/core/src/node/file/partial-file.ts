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
  rename,
  rm,
  rmSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { FileDisk } from './file-disk.ts';

/** A new file beside the one that it is to replace. */
export interface PartialFile {
  readonly disk: FileDisk;
  /** Takes the name of `target`; with `sync` the name is on stable storage. The disk is closed before. */
  rename(target: string, sync: boolean): Promise<void>;
  remove(): Promise<void>;
}

// What may have to wait for the disk: the file that is replaced, or removed, gives its blocks back. The rest takes no time.
const renameAsync = promisify(rename);
const removeAsync = promisify(rm);
const syncAsync = promisify(fsync);
const closeAsync = promisify(close);

/** Bytes of the longest name that file systems have. */
const LONGEST_NAME = 255;

/** Files that this process has begun. */
let begun = 0;

/** What a process that ends in the middle of its work leaves behind: an uncaught error, `process.exit`. */
const unfinished = new Set<string>();
let isWatching = false;

function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

/** Begins a sparse file of `size` bytes in the folder of `target`, with the permissions of the file that it replaces. */
export async function beginPartialFile(
  target: string,
  size: number,
  replaced: Stats | undefined = undefined,
): Promise<PartialFile> {
  const path = partialPath(target);
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  try {
    if (replaced !== undefined) takeOver(fd, replaced);
    // Not to 0: ext4 takes that for a file that is about to be replaced, and writes all of it out when it is closed.
    if (size > 0) ftruncateSync(fd, size);
  } catch (error) {
    await removeAsync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  unfinished.add(path);
  if (!isWatching) process.on('exit', removeUnfinished);
  isWatching = true;
  const disk = new FileDisk(path, { writable: true, locking: 'off' }); // no other process knows its name
  await disk.init();
  return {
    disk,
    async rename(name, sync) {
      await renameAsync(path, name);
      unfinished.delete(path);
      if (sync) await syncFolder(dirname(name));
    },
    async remove() {
      await disk.close();
      await removeAsync(path, { force: true });
      unfinished.delete(path);
    },
  };
}

/** A name of our own: the file must not be there yet. Web Crypto would take 10 ms to make a better one. */
function partialPath(target: string): string {
  const suffix = `${process.pid}-${Date.now().toString(36)}-${begun++}.partial`;
  const name = `${basename(target)}.${suffix}`;
  return join(dirname(target), Buffer.byteLength(name) > LONGEST_NAME ? `.diskstack-${suffix}` : name);
}

/** Those who may read the file that is replaced may read the new one, and no others. */
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
