import type { BigIntStats } from 'node:fs';
import { DiskError } from '../../errors/disk-error.ts';
import { claimForWriting } from '../../io/write-claims.ts';
import { fileIdentity, identityOfStats } from '../identity/file-identity.ts';
import { lockForWriting, refuseWritten } from './image-lock.ts';

/**
 * Whether other processes are kept out.
 *
 * - `'auto'`: one writer for an image, and no reader beside it
 * - `'writing'`: one writer for an image; readers are let in while it is written
 * - `'off'`: no process is kept out, and no lock file is made
 */
export type FileLocking = 'auto' | 'writing' | 'off';

/**
 * Keeps other writers from an open file, of this process and of others: by what all names of the file share.
 *
 * @returns lets them in again
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
    throw new DiskError('ERR_LOCKED', 'another process has just put another file in its place', {
      layer: path,
    });
  } catch (error) {
    release();
    throw error;
  }
}
