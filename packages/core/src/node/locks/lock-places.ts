import { type BigIntStats, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The places of the lock files of an image. */
export interface LockPlaces {
  /** In the folder of the image, where all users look. `undefined` for a device. */
  readonly beside: string | undefined;
  /**
   * In private folders of this user, the preferred one first. For an image whose folder is not writable, or that
   * has several names.
   */
  readonly ofUser: readonly string[];
}

/**
 * Returns the places. The name of the lock file is made from the device and inode number, so all names of an image lead to it,
 * and it is short.
 */
export function lockPlaces(path: string, stats: BigIntStats): LockPlaces {
  const isDevice = stats.isBlockDevice();
  const number = isDevice
    ? `device-${stats.rdev.toString(16)}`
    : `${stats.dev.toString(16)}-${stats.ino.toString(16)}`;
  const name = `.diskstack-${number}.lock`;
  return {
    beside: isDevice ? undefined : inFolderOf(path, name),
    ofUser: userFolders().map((folder) => join(folder, name)),
  };
}

/** The path in the folder of the file itself, not of a link to it. A file without a name (`/dev/fd/3`) may have no folder. */
function inFolderOf(path: string, name: string): string | undefined {
  try {
    const isLink = lstatSync(path).isSymbolicLink();
    return resolve(dirname(isLink ? realpathSync.native(path) : path), name);
  } catch {
    return undefined;
  }
}

let known: readonly string[] | undefined;

function userFolders(): readonly string[] {
  if (known !== undefined) return known;
  const uid = process.getuid?.() ?? 0;
  const runtime = [process.env.XDG_RUNTIME_DIR, `/run/user/${uid}`].filter(
    (folder) => folder?.startsWith('/') && isOwn(folder),
  );
  known = [
    ...new Set([
      ...runtime.map((folder) => join(folder ?? '', 'diskstack')),
      join(tmpdir(), `diskstack-${uid}`),
    ]),
  ];
  return known;
}

/** Makes the private folder of a lock. False if that fails, or if the folder belongs to another user. */
export function makeUserFolder(lock: string): boolean {
  const folder = dirname(lock);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // it exists already, or cannot be made
  }
  return isOwn(folder);
}

function isOwn(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === (process.getuid?.() ?? 0);
}
