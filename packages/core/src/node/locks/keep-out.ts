import type { BigIntStats } from 'node:fs';
import { DiskError } from '../../errors/disk-error.ts';
import { claimForWriting } from '../../io/write-claims.ts';
import { fileIdentity, identityOfStats } from '../identity/file-identity.ts';
import { lockForWriting, refuseWritten } from './image-lock.ts';

/**
 * Which other processes may use a file at the same time.
 *
 * - `'auto'`: one writer per image, and no readers while it is written
 * - `'writing'`: one writer per image; readers are allowed while it is written
 * - `'off'`: any process, and no lock files are made
 */
export type FileLocking = 'auto' | 'writing' | 'off';

/**
 * Locks an open file against other writers, in this process and in others. All names of the file share the lock.
 *
 * @returns releases the lock
 */
export function keepOut(
  path: string,
  stats: BigIntStats,
  { writable, locking }: { readonly writable: boolean; readonly locking: FileLocking },
): () => void {
  if (!writable) {
    if (locking === 'auto') refuseWritten(path, stats);
    return () => {};
  }
  const unclaim = claimForWriting(identityOfStats(stats), path);
  let unlock = (): void => {};
  const release = (): void => {
    unlock();
    unclaim();
  };
  try {
    if (locking === 'off') return release;
    unlock = lockForWriting(path, stats);
    if (fileIdentity(path) === identityOfStats(stats)) return release;
    throw new DiskError('ERR_LOCKED', 'another process replaced the file while it was being opened', {
      layer: path,
    });
  } catch (error) {
    release();
    throw error;
  }
}
