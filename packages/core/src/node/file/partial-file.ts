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
import type { Host } from '../../contracts/host.ts';
import type { Lazy } from '../../stack/services.ts';
import { FileDisk } from './file-disk.ts';

/** A new file beside the file that it will replace. */
export interface PartialFile {
  readonly disk: FileDisk;
  /** Renames the file to `target`. With `sync`, the name is on stable storage afterwards. Close the disk first. */
  rename(target: string, sync: boolean): Promise<void>;
  remove(): Promise<void>;
}

// Asynchronous, because replacing or removing a file frees its blocks and waits for the disk. Other calls are immediate.
const renameAsync = promisify(rename);
const removeAsync = promisify(rm);
const syncAsync = promisify(fsync);
const closeAsync = promisify(close);

/** The most bytes of a file name that file systems support. */
const LONGEST_NAME = 255;

/** Number of partial files that this process has made. */
let begun = 0;

/** Partial files to remove if the process ends early: on an uncaught error or `process.exit`. */
const unfinished = new Set<string>();
let isWatching = false;

function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

/** Makes a sparse file of `size` bytes in the folder of `target`, with the permissions of the file that it will replace. */
export async function beginPartialFile(
  target: string,
  size: number,
  { replaced, host }: { readonly replaced?: Stats | undefined; readonly host?: Lazy<Host> | undefined },
): Promise<PartialFile> {
  const path = partialPath(target);
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  try {
    if (replaced !== undefined) copyPermissions(fd, replaced);
    // Not to 0: ext4 then expects the file to be replaced, and writes all of it to disk when it is closed.
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
  const disk = new FileDisk(path, { writable: true, locking: 'off', host }); // no other process knows its name
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

/** A unique name; `O_EXCL` refuses one that exists. Web Crypto would need 10 ms for a better one. */
function partialPath(target: string): string {
  const suffix = `${process.pid}-${Date.now().toString(36)}-${begun++}.partial`;
  const name = `${basename(target)}.${suffix}`;
  return join(dirname(target), Buffer.byteLength(name) > LONGEST_NAME ? `.diskstack-${suffix}` : name);
}

/** Copies owner and permissions if possible, so that no user gets access to the new file who had none to the replaced one. */
function copyPermissions(fd: number, { mode, uid, gid }: Stats): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // only root may change the owner of a file
  }
  const group = fstatSync(fd).gid === gid ? 0o070 : 0; // the permissions of one group must not pass to another
  fchmodSync(fd, mode & (0o707 | group));
}

/** Flushes a folder. A new file name is on stable storage only after that. */
async function syncFolder(folder: string): Promise<void> {
  const fd = openSync(folder, constants.O_RDONLY);
  try {
    await syncAsync(fd);
  } finally {
    await closeAsync(fd);
  }
}
