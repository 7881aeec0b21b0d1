import type { DiskModule } from './disk-module.ts';

/** What stands at a path, symbolic links not followed. */
export type PathKind = 'file' | 'symlink' | 'folder' | 'device' | 'other' | 'missing';

/** Opens storages of one scheme (`file`, `memory` …) by path. Paths are POSIX paths. */
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
