import { fdatasync, fstatSync, statfsSync } from 'node:fs';
import { promisify } from 'node:util';
import { breathe } from '../../async/breathe.ts';
import type { Able } from '../../contracts/abilities.ts';
import type { Cloner } from '../../contracts/cloner.ts';
import type { Io } from '../../contracts/disk-module.ts';
import type { Clones, Host } from '../../contracts/host.ts';
import { throwIfAborted } from '../../errors/disk-error.ts';
import { identityOfStats } from '../identity/file-identity.ts';
import { CallLength } from './call-length.ts';
import { fileError } from './file-errors.ts';

const syncAsync = promisify(fdatasync);

/** A regular file that is open, and its host. */
export interface SharedFile {
  readonly disk: Able<'location'>;
  /** The descriptor now: after the disk was closed, another file may have the number. Throws then. */
  descriptor(): number;
  host(): Promise<Host | undefined>;
  /** Keeps the file open until the promise settles. */
  whileOpen<T>(work: () => Promise<T>): Promise<T>;
}

/** File systems that share no blocks (linux/magic.h): ext2 to ext4, and tmpfs. */
const SHARE_NOTHING: ReadonlySet<number> = new Set([0xef53, 0x01021994]);

function identityOf(file: SharedFile): string {
  return identityOfStats(fstatSync(file.descriptor(), { bigint: true }));
}

/** Whether the file system of an open file may be able to share blocks. Only Linux is asked; elsewhere there is no host. */
function mayShareBlocks(file: SharedFile): boolean {
  try {
    return !SHARE_NOTHING.has(statfsSync(`/proc/self/fd/${file.descriptor()}`).type);
  } catch {
    return false; // not Linux, or /proc is not mounted
  }
}

/** Returns what clones ranges of `source` into `target`; `undefined` if it is known that they share nothing. */
export async function shareBlocks(source: SharedFile, target: SharedFile): Promise<Cloner | undefined> {
  if (!mayShareBlocks(source) || !mayShareBlocks(target)) return undefined;
  if (identityOf(source) === identityOf(target)) return undefined; // by two names, for example
  const { clones } = (await source.host()) ?? (await target.host()) ?? {};
  return clones && clonerOf(clones, source, target);
}

/** Clones in calls that do not block for long. */
function clonerOf(clones: Clones, source: SharedFile, target: SharedFile): Cloner {
  const blockSize = Math.max(...[source, target].map((file) => fstatSync(file.descriptor()).blksize));
  const callLength = new CallLength();
  let canShare: boolean | undefined;

  const clone = (from: number, to: number, length: number): boolean =>
    callLength.measure(() => clones.cloneRange(source.descriptor(), from, length, target.descriptor(), to));
  const cloneAll = async (from: number, to: number, length: number, io: Io): Promise<boolean> => {
    let done = 0;
    if (canShare === undefined) {
      // One block shows whether they can share. Then the kernel writes out what is new in the source before it shares it: not in
      // a call that blocks.
      canShare = clone(from, to, blockSize);
      if (canShare) await syncAsync(source.descriptor());
      done = blockSize;
    }
    while (canShare && done < length) {
      throwIfAborted(io.signal);
      const pause = breathe();
      if (pause !== undefined) await pause;
      const part = Math.min(callLength.bytes, length - done);
      canShare = clone(from + done, to + done, part);
      done += part;
    }
    return canShare;
  };
  return {
    blockSize,
    unit: blockSize,
    async clone(from, to, length, io = {}) {
      try {
        return await source.whileOpen(() => target.whileOpen(() => cloneAll(from, to, length, io)));
      } catch (error) {
        throw fileError(error, target.disk.location, to);
      }
    },
  };
}
