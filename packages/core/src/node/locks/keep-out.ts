import { DiskError } from '../../errors/disk-error.ts';
import { claimForWriting } from '../../io/write-claims.ts';
import { fileIdentity, identityOfStats } from '../identity/file-identity.ts';
import { type LockedFile, lockForReading, lockForWriting } from './image-lock.ts';

/**
 * Which other processes may use a file at the same time.
 *
 * - `'auto'`: one writer per image, and no readers while it is written
 * - `'writing'`: one writer per image; this process reads it also while another one writes it
 * - `'off'`: any process; nothing is locked
 */
export type FileLocking = 'auto' | 'writing' | 'off';

/**
 * Locks an open file against other writers, in this process and in others. All names of the file share the lock.
 *
 * @returns releases the lock
 */
export async function keepOut(
  file: LockedFile,
  { writable, locking }: { readonly writable: boolean; readonly locking: FileLocking },
): Promise<() => void> {
  const { path, stats } = file;
  if (!writable) return locking === 'auto' ? await lockForReading(file) : () => {};
  const unclaim = claimForWriting(identityOfStats(stats), path);
  let unlock = (): void => {};
  const release = (): void => {
    unlock();
    unclaim();
  };
  try {
    if (locking === 'off') return release;
    unlock = await lockForWriting(file);
    if (fileIdentity(path) === identityOfStats(stats)) return release;
    throw new DiskError('ERR_LOCKED', 'another process replaced the file while it was being opened', {
      layer: path,
    });
  } catch (error) {
    release();
    throw error;
  }
}
