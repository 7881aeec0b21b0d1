import { type BigIntStats, close, constants, openSync, statSync } from 'node:fs';
import { DiskError } from '../../errors/disk-error.ts';
import { quote } from '../../errors/text.ts';
import { dropLockFile, type FoundLock, isStale, readLockFile, takeLockFile } from './lock-file.ts';
import { lockPlaces, makeUserFolder } from './lock-places.ts';
import { qemuLocks } from './proc-locks.ts';
import { livenessOf, ownMark, type ProcessMark } from './process-mark.ts';

const QEMU = 'another program (QEMU, by its locks)';

/** The lock files that this process holds: the mark in each, and the number of holders. */
const held = new Map<string, { readonly mark: ProcessMark; count: number }>();
let isWatching = false;

/**
 * Locks a file against other processes until the returned function is called. For work that reads a file first and writes it at
 * the end. Locks of this process do not conflict. Does nothing if the file does not exist.
 */
export function lockFile(path: string): () => void {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || !(stats.isFile() || stats.isBlockDevice())) return () => {};
  const unpin = pin(path);
  try {
    const unlock = lockForWriting(path, stats);
    return () => {
      unlock();
      unpin();
    };
  } catch (error) {
    unpin();
    throw error;
  }
}

/**
 * Keeps a file open, so that its inode is not reused while a lock is named after it: the file may be replaced meanwhile. The
 * returned function closes it, once.
 */
function pin(path: string): () => void {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    // the file is writable but not readable
  }
  return () => {
    if (fd !== undefined) close(fd, () => {}); // asynchronous: closing a large, replaced file frees its blocks
    fd = undefined;
  };
}

/**
 * Locks an image for this process. The lock files are visible to other diskstack processes. QEMU does not see them, so its own
 * locks are checked as well. One lock file is beside the image, for all users. The other one is in a folder of the user: all
 * names of the image lead to it, even after a move.
 *
 * @returns releases the lock. The lock files are removed when all holders in this process have released them
 */
export function lockForWriting(path: string, stats: BigIntStats): () => void {
  const { beside, ofUser } = lockPlaces(path, stats);
  const taken: string[] = [];
  const release = (): void => {
    for (const lock of taken.splice(0)) drop(lock);
  };
  try {
    for (const lock of [beside, ...ofUser]) {
      const found = lock === undefined ? undefined : readLockFile(lock);
      if (lock === undefined || found === undefined || isStale(found) || isHeld(lock, found)) continue;
      throw lockedBy(found, lock, path);
    }
    if (beside !== undefined) take(beside, path, taken);
    ofUser.some((lock) => makeUserFolder(lock) && take(lock, path, taken));
    const { isWritten, refusesWriters } = qemuLocks(path, stats);
    if (isWritten || refusesWriters) throw locked(path, isWritten ? 'writing' : 'reading', QEMU);
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

function isHeld(lock: string, { mark }: FoundLock): boolean {
  return mark !== undefined && held.get(lock)?.mark.id === mark.id;
}

/** Refuses an image that another process writes. Reads would mix bytes from before and after a change. */
export function refuseWritten(path: string, stats: BigIntStats): void {
  const { beside, ofUser } = lockPlaces(path, stats);
  for (const lock of [beside, ...ofUser]) {
    const found = lock === undefined ? undefined : readLockFile(lock);
    if (lock === undefined || found === undefined || isStale(found)) continue;
    if (found.mark !== undefined && livenessOf(found.mark) === 'own') continue;
    throw withHint(lockedBy(found, lock, path));
  }
  const { isWritten, refusesReaders } = qemuLocks(path, stats);
  if (isWritten || refusesReaders) throw withHint(locked(path, 'writing', QEMU));
}

function withHint({ code, reason, layer }: DiskError): DiskError {
  return new DiskError(code, `${reason}; locking: 'writing' reads it anyway`, {
    layer,
    hint: { option: 'locking' },
  });
}

/** Takes one lock file. False if no lock file can be made at this place. */
function take(lock: string, path: string, taken: string[]): boolean {
  const mark = ownMark();
  let found: FoundLock | undefined;
  try {
    found = takeLockFile(lock, mark);
  } catch {
    return false; // the folder is not writable, or the disk is full
  }
  const known = held.get(lock);
  if (found === undefined) held.set(lock, { mark, count: 1 });
  else if (known !== undefined && isHeld(lock, found)) known.count++;
  else throw lockedBy(found, lock, path);
  taken.push(lock);
  if (!isWatching) process.on('exit', dropAll);
  isWatching = true;
  return true;
}

function drop(lock: string): void {
  const known = held.get(lock);
  if (known === undefined || --known.count > 0) return;
  held.delete(lock);
  dropLockFile(lock, known.mark);
}

function dropAll(): void {
  for (const [lock, { mark }] of held) dropLockFile(lock, mark);
}

function lockedBy({ mark }: FoundLock, lock: string, path: string): DiskError {
  if (mark === undefined) return locked(path, 'writing', `another process (by ${quote(lock)})`);
  const state = livenessOf(mark);
  if (state === 'own') return locked(path, 'writing', `this process, ${mark.pid},`);
  if (state !== 'unknown') return locked(path, 'writing', `process ${mark.pid}`);
  const where = `process ${mark.pid} of ${quote(mark.host)}, another machine or container`;
  return locked(path, 'writing', `${where} (remove ${quote(lock)} if that process has ended),`);
}

function locked(layer: string, purpose: 'reading' | 'writing', who: string): DiskError {
  return new DiskError('ERR_LOCKED', `${who} has the image open for ${purpose}`, { layer });
}
