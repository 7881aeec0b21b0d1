import { lstat, realpath, stat } from 'node:fs/promises';
import type { PathKind, StorageDriver } from '../contracts/storage-driver.ts';
import { FileDisk, type FileIo } from './file-disk.ts';
import { fileError } from './file-errors.ts';

/** Files and block devices of this machine: scheme `file`, and plain paths. */
export function fileDriver(options: { readonly io?: FileIo } = {}): StorageDriver {
  return {
    scheme: 'file',
    open: (path, { writable }) => new FileDisk(path, { ...options, writable }),
    async kind(path): Promise<PathKind> {
      const stats = await orMissing(lstat(path), path);
      if (stats === undefined) return 'missing';
      if (stats.isSymbolicLink()) return 'symlink';
      if (stats.isFile()) return 'file';
      if (stats.isDirectory()) return 'folder';
      return stats.isBlockDevice() ? 'device' : 'other';
    },
    canonical: (path) => orMissing(realpath(path), path),
    async identity(path) {
      const stats = await orMissing(stat(path, { bigint: true }), path);
      return stats === undefined ? `file ${path}` : `file ${stats.dev}:${stats.ino}`; // also seen through hard links
    },
  };
}

/** `undefined` where nothing stands; other failures are told. */
async function orMissing<T>(work: Promise<T>, path: string): Promise<T | undefined> {
  try {
    return await work;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG')
      return undefined;
    throw fileError(cause, path);
  }
}
