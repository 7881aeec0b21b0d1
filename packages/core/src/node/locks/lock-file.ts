import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { decodeMark, encodeMark, livenessOf, type ProcessMark } from './process-mark.ts';

/** The content of a lock file. `mark` is `undefined` if it cannot be decoded. */
export interface FoundLock {
  readonly mark: ProcessMark | undefined;
  /** The file is new, so its mark may not be written yet. */
  readonly isFresh: boolean;
}

/** Age in milliseconds after which a lock file without a mark is stale: its process ended before it wrote the mark. */
const UNWRITTEN_MS = 10_000;
const MAX_MARK_BYTES = 1024;
const MAX_TRIES = 200;

/**
 * Makes a lock file for this process. It is a symbolic link whose target is the mark and does not exist. So it appears complete,
 * in one call, and only if the name is free. On file systems without symbolic links it is a regular file.
 *
 * @returns `undefined` if the lock was taken, else the lock of another process that is alive or may be
 * @throws the error of the file system if no lock file can be made
 */
export function takeLockFile(path: string, mark: ProcessMark): FoundLock | undefined {
  for (let tries = 0; ; tries++) {
    if (tryMake(path, mark)) return undefined;
    const found = readLockFile(path);
    if (tries >= MAX_TRIES) return found ?? { mark: undefined, isFresh: true };
    if (found === undefined) continue; // it was released in between
    if (!isStale(found)) return found;
    removeStale(path, found, mark);
  }
}

/** Releases a lock, unless another process has replaced it as stale. */
export function dropLockFile(path: string, { id }: ProcessMark): void {
  if (readLockFile(path)?.mark?.id === id) remove(path);
}

/** Whether no running process can hold the lock. */
export function isStale({ mark, isFresh }: FoundLock): boolean {
  return mark === undefined ? !isFresh : livenessOf(mark) === 'dead';
}

export function readLockFile(path: string): FoundLock | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const text = stats.isSymbolicLink() ? readlinkSync(path) : readText(path);
    const mark = text === undefined ? undefined : decodeMark(text);
    return { mark, isFresh: Date.now() - stats.mtimeMs < UNWRITTEN_MS };
  } catch {
    return undefined; // removed meanwhile, or in a folder without access
  }
}

/**
 * Removes a lock whose process has ended. If two processes do that at the same time, the slower one must not remove the new lock
 * of the faster one. So removing needs a lock of its own, named after the id of the stale lock.
 */
export function removeStale(path: string, stale: FoundLock, mark: ProcessMark): void {
  const id = stale.mark?.id ?? 'unwritten';
  const right = `${path}.${id}`;
  if (tryMake(right, mark)) {
    const found = readLockFile(path);
    if (found !== undefined && (found.mark?.id ?? 'unwritten') === id && isStale(found)) remove(path);
    remove(right);
    return;
  }
  const holder = readLockFile(right);
  if (holder !== undefined && isStale(holder) && right.length < path.length * 4)
    removeStale(right, holder, mark);
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/** Makes the lock file. False if the name is taken. */
function tryMake(path: string, mark: ProcessMark): boolean {
  const text = encodeMark(mark);
  try {
    symlinkSync(text, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'UNKNOWN'].includes(codeOf(error))) throw error;
  }
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o644);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    writeSync(fd, text);
  } catch (error) {
    remove(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  return true;
}

/** Reads the text of a regular file. Does not block on other kinds of files. */
function readText(path: string): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const buffer = new Uint8Array(MAX_MARK_BYTES);
    return Buffer.from(buffer.subarray(0, readSync(fd, buffer))).toString('latin1');
  } finally {
    closeSync(fd);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // already removed, or not removable: later processes find it stale
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
