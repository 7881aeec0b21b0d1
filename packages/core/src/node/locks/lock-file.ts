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

/** What a lock file says. `undefined` for the mark where it cannot be understood. */
export interface FoundLock {
  readonly mark: ProcessMark | undefined;
  /** Nothing has been written into it yet, or never will be. */
  readonly isFresh: boolean;
}

/** A lock file without content that is older than this, in milliseconds, was left by a process that ended while it made it. */
const UNWRITTEN_MS = 10_000;
const MAX_MARK_BYTES = 1024;
const MAX_TRIES = 200;

/**
 * Makes a lock file for this process. It is a symbolic link that leads nowhere and whose target is the mark: it appears whole,
 * in one call, and only where nothing is. A file system without such links has a file in its place.
 *
 * @returns `undefined` when the lock is held; else the lock of another process that runs, or may run
 * @throws the error of the file system where no lock file can be made
 */
export function takeLockFile(path: string, mark: ProcessMark): FoundLock | undefined {
  for (let tries = 0; ; tries++) {
    if (tryMake(path, mark)) return undefined;
    const found = readLockFile(path);
    if (tries >= MAX_TRIES) return found ?? { mark: undefined, isFresh: true };
    if (found === undefined) continue; // it has just been given up
    if (!isStale(found)) return found;
    removeStale(path, found, mark);
  }
}

/** Gives a lock up, unless somebody has taken it for stale. */
export function dropLockFile(path: string, { id }: ProcessMark): void {
  if (readLockFile(path)?.mark?.id === id) remove(path);
}

/** Whether no process can need the lock any more. */
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
    return undefined; // gone meanwhile, or in a folder that is closed to us
  }
}

/**
 * Removes a lock whose process has ended. Two that take it over at the same time must not remove the new lock of the faster
 * one: the right to remove it is a lock as well, named after the very lock that it is about, so that it is given once.
 */
function removeStale(path: string, stale: FoundLock, mark: ProcessMark): void {
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

/** False where the name is taken. */
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

/** Of a file, and of nothing that would have to be waited for. */
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
    // gone already, or not ours to remove: the next one takes it over
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
