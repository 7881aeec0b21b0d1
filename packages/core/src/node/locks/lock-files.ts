import { DiskError } from '../../errors/disk-error.ts';
import { quote } from '../../errors/text.ts';
import {
  dropLockFile,
  type FoundLock,
  isStale,
  readLockFile,
  removeStale,
  takeLockFile,
} from './lock-file.ts';
import { lockPlaces, makeUserFolder } from './lock-places.ts';
import type { LockedPath } from './proc-locks.ts';
import { livenessOf, ownMark, type ProcessMark } from './process-mark.ts';

/** The lock files that this process holds: the mark in each, and the number of holders. */
const held = new Map<string, { readonly mark: ProcessMark; count: number }>();
let isWatching = false;

/**
 * Makes the lock files of an image for this process. Other diskstack processes see them. One is beside the image, for all users. The
 * other one is in a folder of the user: all names of the image lead to it, even after a move.
 *
 * @returns releases the lock. The lock files are removed when all holders in this process have released them
 */
export function makeLockFiles({ path, stats }: LockedPath): () => void {
  const { beside, ofUser } = lockPlaces(path, stats);
  const taken: string[] = [];
  const release = (): void => {
    for (const lock of taken.splice(0)) drop(lock);
  };
  try {
    if (beside !== undefined) take(beside, path, taken);
    ofUser.some((lock) => makeUserFolder(lock) && take(lock, path, taken));
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

/**
 * Throws if another process has a lock file for the image. A reader may read what its own process writes. A writer removes the lock
 * files of processes that have ended.
 */
export function refuseLockFiles({ path, stats }: LockedPath, purpose: 'reading' | 'writing'): void {
  const { beside, ofUser } = lockPlaces(path, stats);
  for (const lock of [beside, ...ofUser]) {
    const found = lock === undefined ? undefined : readLockFile(lock);
    if (lock === undefined || found === undefined) continue;
    if (isStale(found)) {
      if (purpose === 'writing') tidy(lock, found);
      continue;
    }
    const isOwn = purpose === 'writing' ? isHeld(lock, found) : isOfThisProcess(found);
    if (!isOwn) throw lockedBy(found, lock, path);
  }
}

function tidy(lock: string, stale: FoundLock): void {
  try {
    removeStale(lock, stale, ownMark());
  } catch {
    // the folder is not writable
  }
}

function isHeld(lock: string, { mark }: FoundLock): boolean {
  return mark !== undefined && held.get(lock)?.mark.id === mark.id;
}

function isOfThisProcess({ mark }: FoundLock): boolean {
  return mark !== undefined && livenessOf(mark) === 'own';
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

/** `purpose`: what the other one does. */
export function locked(layer: string, purpose: 'reading' | 'writing', who: string): DiskError {
  return new DiskError('ERR_LOCKED', `${who} has the image open for ${purpose}`, { layer });
}
