import type { ByteLocks } from '../../contracts/host.ts';
import { bytesAgainst, bytesOf, type ImageUse, NOT_SHARED, RESIZE, USED } from './image-use.ts';

/** The use of a file by one disk of this process. */
interface Holder {
  readonly fd: number;
  readonly bytes: readonly number[];
}

/** A file that disks of this process use. Their locks are all on one descriptor, because two descriptors exclude each other. */
interface LockedFile {
  fd: number;
  readonly holders: Set<Holder>;
}

const files = new Map<string, LockedFile>();

export interface TakenBytes {
  /** The descriptor that has the locks. */
  readonly fd: number;
  /** Bytes on which another open file has a lock that contradicts this use. Empty if the file may be used. */
  readonly conflicts: readonly number[];
  /** Gives up the locks. Call it before the descriptor is closed. */
  readonly unlock: () => void;
}

/**
 * Locks the bytes of a use, and then looks for locks that contradict it, as QEMU does: of two programs that start together at least
 * one sees the other. Disks of this process do not conflict.
 *
 * @param fd a descriptor that is open for reading
 * @param file equal for two descriptors of the same file
 * @returns `undefined` if the file system has no locks
 */
export function takeBytes(locks: ByteLocks, fd: number, file: string, use: ImageUse): TakenBytes | undefined {
  const locked = files.get(file) ?? { fd, holders: new Set<Holder>() };
  const bytes = bytesOf(use);
  const known = bytesHeld(locked);
  const taken: number[] = [];
  for (const byte of bytes) {
    if (known.has(byte)) continue;
    const answer = locks.share(locked.fd, byte);
    if (answer === 'taken') {
      taken.push(byte);
      continue;
    }
    for (const one of taken) locks.unlock(locked.fd, one, 1);
    return answer === undefined ? undefined : { fd: locked.fd, conflicts: [byte], unlock: () => {} };
  }
  const holder: Holder = { fd, bytes };
  locked.holders.add(holder);
  files.set(file, locked);
  return {
    fd: locked.fd,
    conflicts: lockedAmong(locks, locked.fd, bytesAgainst(use)),
    unlock: () => release(locks, file, locked, holder),
  };
}

/** Those of the bytes on which another open file has a lock. Asks once for each group, because there is rarely one. */
function lockedAmong(locks: ByteLocks, fd: number, bytes: readonly number[]): readonly number[] {
  const groups = [bytes.filter((byte) => byte < NOT_SHARED), bytes.filter((byte) => byte >= NOT_SHARED)];
  return groups.flatMap((group) => {
    const first = Math.min(...group);
    if (!locks.isLocked(fd, first, Math.max(...group) - first + 1)) return [];
    return group.filter((byte) => locks.isLocked(fd, byte, 1));
  });
}

function release(locks: ByteLocks, file: string, locked: LockedFile, holder: Holder): void {
  if (!locked.holders.delete(holder)) return;
  const [next] = locked.holders;
  if (next === undefined) {
    files.delete(file);
    unlockAll(locks, locked.fd);
    return;
  }
  const left = bytesHeld(locked);
  if (holder.fd !== locked.fd) {
    for (const byte of holder.bytes) if (!left.has(byte)) locks.unlock(locked.fd, byte, 1);
    return;
  }
  // The descriptor with the locks is about to be closed. All locks are shared, so the next one takes them before.
  for (const byte of left) locks.share(next.fd, byte);
  locked.fd = next.fd;
  unlockAll(locks, holder.fd);
}

function unlockAll(locks: ByteLocks, fd: number): void {
  locks.unlock(fd, USED, NOT_SHARED + RESIZE - USED + 1);
}

function bytesHeld({ holders }: LockedFile): ReadonlySet<number> {
  return new Set([...holders].flatMap(({ bytes }) => bytes));
}
