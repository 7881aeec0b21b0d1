import { lstatSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { PathKind, StorageDriver } from '../../contracts/storage-driver.ts';
import { identityOfStats } from '../identity/file-identity.ts';
import { FileDisk, type FileDiskOptions } from './file-disk.ts';
import { fileError } from './file-errors.ts';
import { fileLocations, plainPath } from './file-locations.ts';
import { decodeName } from './file-names.ts';
import { listFolder } from './list-folder.ts';

/**
 * Driver for files and block devices of this machine: scheme `file`, and plain paths. Looking up a path blocks, because it takes
 * about 5 µs, a tenth of the time that the thread pool needs.
 */
export function fileDriver(options: Omit<FileDiskOptions, 'writable'> = {}): StorageDriver {
  return {
    ...fileLocations(path),
    open: (location, { writable }) => new FileDisk(plainPath(location), { ...options, writable }),
    async kind(location): Promise<PathKind> {
      const stats = orMissing(lstatSync, plainPath(location));
      if (stats === undefined) return 'missing';
      if (stats.isSymbolicLink()) return 'symlink';
      if (stats.isFile()) return 'file';
      if (stats.isDirectory()) return 'folder';
      return stats.isBlockDevice() ? 'device' : 'other';
    },
    canonical: async (location) => {
      const file = plainPath(location);
      const bytes = orMissing((one) => realpathSync.native(one, 'buffer'), file);
      return bytes && decodeName(bytes, file);
    },
    async identity(location) {
      const file = plainPath(location);
      const stats = orMissing((one) => statSync(one, { bigint: true }), file);
      return stats === undefined ? `file ${file}` : identityOfStats(stats);
    },
    list: (location, max) => listFolder(plainPath(location), max),
  };
}

/** Runs `look`. Returns `undefined` if nothing exists at the path, and throws other errors. */
function orMissing<T>(look: (path: string) => T, path: string): T | undefined {
  try {
    return look(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG')
      return undefined;
    throw fileError(cause, path);
  }
}
