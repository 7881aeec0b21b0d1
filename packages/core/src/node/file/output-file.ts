import { type Stats, statSync } from 'node:fs';
import type { Able } from '../../contracts/abilities.ts';
import type { Io } from '../../contracts/disk-module.ts';
import type { Host } from '../../contracts/host.ts';
import { DiskError } from '../../errors/disk-error.ts';
import { refuseClaimed } from '../../io/write-claims.ts';
import type { Lazy } from '../../stack/services.ts';
import { copyDisk } from '../../transfer/copy-disk.ts';
import { fileIdentity } from '../identity/file-identity.ts';
import { lockFile } from '../locks/lock-by-path.ts';
import { FileDisk } from './file-disk.ts';
import { fileError } from './file-errors.ts';
import { InPlaceDisk } from './in-place-disk.ts';
import { isMountPoint } from './mount-point.ts';
import { outputTarget } from './output-target.ts';
import { beginPartialFile, type PartialFile } from './partial-file.ts';

/** A file that is being written. It gets its name only when it is complete. */
export interface OutputFile {
  readonly disk: Able<'location' | 'flush'>;
  /** Whether unwritten ranges read as zeroes: true for a new file, false for a device. */
  readonly startsAsZeroes: boolean;
  /** Gives the file its name. With `sync`, everything is on stable storage before that. */
  commit(options?: CommitFileOptions): Promise<void>;
  /** Removes what was written. A file that is written in place is left empty, a device without its first 4 KiB. */
  discard(): Promise<void>;
}

interface CommitFileOptions extends Io {
  readonly sync?: boolean;
}

export interface OutputFileOptions {
  /** Locks the file that is replaced, and frees and reserves space. Default: nothing, and lock files are made. */
  readonly host?: Lazy<Host> | undefined;
}

/** Errors after which the output is written in place: the folder refuses a new file, or the file cannot be replaced. */
const IN_PLACE: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV']);

/**
 * Begins a sparse file of `size` bytes beside `path`. `commit` renames it to `path`, over an existing file.
 *
 * Some outputs are written in place: a block device, a mount point, and a file whose folder refuses new files. The old content of
 * `path` is then lost with the first write, and its first 4 KiB are zeroes until `commit`.
 */
export async function createOutputFile(
  path: string,
  size: number,
  { host }: OutputFileOptions = {},
): Promise<OutputFile> {
  let unlock = (): void => {};
  try {
    const target = outputTarget(path);
    const existing = statSync(target, { throwIfNoEntry: false });
    if (existing === undefined)
      return replacing(path, target, await beginPartialFile(target, size, { host }));
    refuseStream(existing, path);
    // If another process had the replaced file open, its writes would go to a file without a name and be lost.
    refuseClaimed(fileIdentity(target) ?? target, path);
    unlock = await lockFile(target, typeof host === 'function' ? await host() : host);
    if (!existing.isFile() || isMountPoint(target, existing))
      return held(await inPlace(target, size, host), unlock);
    let partial: PartialFile;
    try {
      partial = await beginPartialFile(target, size, { replaced: existing, host });
    } catch (error) {
      if (!mayBeInPlace(error)) throw error;
      return held(await inPlace(target, size, host), unlock);
    }
    return held(replacing(path, target, partial), unlock);
  } catch (error) {
    unlock();
    throw fileError(error, path);
  }
}

/** Releases the lock after `commit` or `discard`. If `commit` fails, the caller has to call `discard`. */
function held(output: OutputFile, unlock: () => void): OutputFile {
  return {
    ...output,
    async commit(options) {
      await output.commit(options);
      unlock();
    },
    async discard() {
      await output.discard().finally(unlock);
    },
  };
}

/** Refuses files without byte offsets. Opening some of them would wait for another program. */
function refuseStream(stats: Stats, layer: string): void {
  const kind = stats.isFIFO()
    ? 'a FIFO'
    : stats.isSocket()
      ? 'a socket'
      : stats.isCharacterDevice()
        ? 'a character device'
        : undefined;
  if (kind !== undefined)
    throw new DiskError('ERR_ARGUMENT', `is ${kind}, which cannot hold a disk`, { layer });
}

function mayBeInPlace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && IN_PLACE.has(error.code);
}

function replacing(path: string, target: string, partial: PartialFile): OutputFile {
  const { disk } = partial;
  return {
    disk,
    startsAsZeroes: true,
    async commit({ sync = false, signal } = {}) {
      if (sync) await disk.flush();
      await disk.close();
      try {
        await partial.rename(target, sync);
      } catch (error) {
        if (!mayBeInPlace(error)) throw fileError(error, path);
        await copyOver(partial, target, { sync, signal }, fileError(error, path));
      }
    },
    discard: () => partial.remove(),
  };
}

/** Writes the content of a complete partial file over a file that it cannot replace. */
async function copyOver(
  partial: PartialFile,
  target: string,
  { sync = false, signal }: CommitFileOptions,
  refusal: unknown,
): Promise<void> {
  await using source = new FileDisk(partial.disk.location);
  await source.init();
  let output: OutputFile;
  try {
    output = await inPlace(target, source.size(), undefined);
  } catch {
    throw refusal; // the target cannot be written in place either
  }
  try {
    await copyDisk(source, output.disk, { targetIsZero: output.startsAsZeroes, signal });
    await output.commit({ sync });
  } catch (error) {
    await output.discard();
    throw error;
  }
  await partial.remove();
}

async function inPlace(path: string, size: number, host: Lazy<Host> | undefined): Promise<OutputFile> {
  const disk = new InPlaceDisk(new FileDisk(path, { writable: true, host }), size);
  await disk.init();
  return {
    disk,
    startsAsZeroes: disk.startsAsZeroes,
    async commit({ sync = false } = {}) {
      await disk.finish(sync);
      await disk.close();
    },
    async discard() {
      try {
        await disk.abandon();
      } finally {
        await disk.close();
      }
    },
  };
}
