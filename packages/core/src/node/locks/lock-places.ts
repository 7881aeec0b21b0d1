import { type BigIntStats, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Where the lock of an image may be. */
export interface LockPlaces {
  /** In the folder of the image: every user of it looks there. A device has none. */
  readonly beside: string | undefined;
  /** In folders of this user alone, the first one first: for an image whose folder is closed, or which has several names. */
  readonly ofUser: readonly string[];
}

/** The name has what all names of an image share, links included, and is short in every folder. */
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

/** In the folder that the file is in, and not that of a link to it. A file without a name (`/dev/fd/3`) may be in none. */
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

/** Makes the folder of a lock of the user. False where that cannot be, or where it is somebody else's. */
export function makeUserFolder(lock: string): boolean {
  const folder = dirname(lock);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // there already, or not to be made
  }
  return isOwn(folder);
}

function isOwn(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === (process.getuid?.() ?? 0);
}
