import type { DiskModule } from './disk-module.ts';

/** What stands at a path, symbolic links not followed. */
export type PathKind = 'file' | 'symlink' | 'folder' | 'device' | 'other' | 'missing';

/**
 * Opens storages of one scheme (`file`, `https` …) by path. A path is a whole URL where the caller spells one
 * (`https://host/disk.qcow2`), and a POSIX path without its scheme otherwise (`/a/b` of `memory:/a/b`).
 *
 * What a driver throws that is no `DiskError` becomes one (`ERR_IO`) where it is called.
 */
export interface StorageDriver {
  readonly scheme: string;
  /** Makes a disk over what stands there; `init()` opens it. */
  open(path: string, options: { readonly writable: boolean }): DiskModule;
  kind(path: string): Promise<PathKind>;
  /** The path with every symbolic link resolved, or `undefined` where nothing stands. */
  canonical(path: string): Promise<string | undefined>;
  /** A string that two paths share exactly when they lead to one and the same storage. */
  identity(path: string): Promise<string>;
}
