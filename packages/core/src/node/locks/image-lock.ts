import type { ByteLocks } from '../../contracts/host.ts';
import { DiskError } from '../../errors/disk-error.ts';
import { takeBytes } from './byte-locks.ts';
import { bytesAgainst, type ImageUse, isWriting, READER, WRITER } from './image-use.ts';
import { locked, makeLockFiles, refuseLockFiles } from './lock-files.ts';
import { foreignLocks, type LockedPath, lockHolder, ownLocks } from './proc-locks.ts';

/** An open file that is locked. */
export interface LockedFile extends LockedPath {
  /** A descriptor that is open for reading, and stays open until the lock is released. */
  readonly fd: number;
  /** Absent without a host: other processes then see lock files. */
  readonly locks?: ByteLocks | undefined;
}

/**
 * Locks an image for writing. Bytes of the file are locked as QEMU does it. Where that is impossible, lock files are made, and the
 * locks of others on bytes are looked up.
 *
 * @returns releases the lock
 */
export async function lockForWriting(file: LockedFile): Promise<() => void> {
  const unlock = await lockBytes(file, WRITER);
  try {
    refuseLockFiles(file, 'writing');
    if (unlock !== undefined) return unlock;
    const release = makeLockFiles(file);
    try {
      await refuseForeign(file, WRITER, await foreignLocks(file));
    } catch (error) {
      release();
      throw error;
    }
    return release;
  } catch (error) {
    unlock?.();
    throw error;
  }
}

/**
 * Refuses an image that another process writes: reads would mix bytes from before and after a change. With locks on bytes it also
 * keeps writers out until the lock is released.
 *
 * @returns releases the lock
 */
export async function lockForReading(file: LockedFile): Promise<() => void> {
  let unlock: (() => void) | undefined;
  try {
    unlock = await lockBytes(file, READER);
    refuseLockFiles(file, 'reading');
    if (unlock !== undefined) return unlock;
    await refuseForeign(file, READER, await foreignLocks(file));
    return () => {};
  } catch (error) {
    unlock?.();
    throw error instanceof DiskError ? withHint(error) : error;
  }
}

/** `undefined` if bytes of the file cannot be locked. */
async function lockBytes(file: LockedFile, use: ImageUse): Promise<(() => void) | undefined> {
  const { locks, fd, path, stats } = file;
  const taken = locks && takeBytes(locks, fd, `${stats.dev}:${stats.ino}`, use);
  if (taken === undefined) return undefined;
  const { conflicts, unlock } = taken;
  if (conflicts.length === 0) return unlock;
  try {
    // Another thread of this process, or another copy of this module, has a descriptor of its own. What is in no list is on another
    // machine.
    const [own, foreign] = [await ownLocks(file, taken.fd), await foreignLocks(file)];
    await refuseForeign(
      file,
      use,
      conflicts.filter((byte) => foreign.has(byte) || !own.has(byte)),
    );
    if (use === WRITER && conflicts.some(isWriting))
      throw locked(path, 'writing', `this process, ${process.pid},`);
    return unlock;
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Throws if others have a lock on a byte that contradicts the use. */
async function refuseForeign(file: LockedPath, use: ImageUse, bytes: Iterable<number>): Promise<void> {
  const against = new Set(bytesAgainst(use));
  const found = [...bytes].filter((byte) => against.has(byte));
  if (found.length === 0) return;
  const who = (await lockHolder(file, found)) ?? 'another program (by its locks)';
  throw locked(file.path, use === READER || found.some(isWriting) ? 'writing' : 'reading', who);
}

function withHint({ code, reason, layer }: DiskError): DiskError {
  return new DiskError(code, `${reason}; locking: 'writing' reads it anyway`, {
    layer,
    hint: { option: 'locking' },
  });
}
