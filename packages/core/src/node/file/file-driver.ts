import { lstatSync, realpathSync, statSync } from 'node:fs';
import type { PathKind, StorageDriver } from '../../contracts/storage-driver.ts';
import { FileDisk, type FileDiskOptions } from './file-disk.ts';
import { fileError } from './file-errors.ts';
import { identityOfStats } from './file-identity.ts';
import { decodeName } from './file-names.ts';

/**
 * Files and block devices of this machine: scheme `file`, and plain paths. Looking at a path takes some 5 µs, a tenth of
 * what a promise of the thread pool does: it blocks.
 */
export function fileDriver(options: Omit<FileDiskOptions, 'writable'> = {}): StorageDriver {
  return {
    scheme: 'file',
    open: (path, { writable }) => new FileDisk(path, { ...options, writable }),
    async kind(path): Promise<PathKind> {
      const stats = orMissing(() => lstatSync(path), path);
      if (stats === undefined) return 'missing';
      if (stats.isSymbolicLink()) return 'symlink';
      if (stats.isFile()) return 'file';
      if (stats.isDirectory()) return 'folder';
      return stats.isBlockDevice() ? 'device' : 'other';
    },
    canonical: async (path) => {
      const bytes = orMissing(() => realpathSync.native(path, 'buffer'), path);
      return bytes && decodeName(bytes, path);
    },
    async identity(path) {
      const stats = orMissing(() => statSync(path, { bigint: true }), path);
      return stats === undefined ? `file ${path}` : identityOfStats(stats);
    },
  };
}

/** `undefined` where nothing stands; other failures are told. */
function orMissing<T>(look: () => T, path: string): T | undefined {
  try {
    return look();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG')
      return undefined;
    throw fileError(cause, path);
  }
}
