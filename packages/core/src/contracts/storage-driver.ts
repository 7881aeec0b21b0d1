import type { DiskModule } from './disk-module.ts';
import type { NameStyle } from './named-disk.ts';

/** What exists at a location. Symbolic links are not followed. */
export type PathKind = 'file' | 'symlink' | 'folder' | 'device' | 'other' | 'missing';

/**
 * How a driver names its storages. A _location_ is a string that identifies one storage: `/images/disk.qcow2`,
 * `https://host/disk.qcow2`, `memory:/disk`. It includes the scheme. Only the driver parses what follows the scheme; core never
 * splits a location into folders.
 *
 * `posixNames` and `urlNames` implement the two usual kinds.
 */
export interface LocationNames {
  /** Schemes of its locations: `['http', 'https']`. The first driver of a program also gets plain paths. */
  readonly schemes: readonly string[];
  /** Returns whether a text that seems to have a scheme is a plain path: `C:\disk.img` on Windows. Default: false. */
  readonly isPath?: ((text: string) => boolean) | undefined;
  /** The syntax of its paths. Names in images with another syntax are translated to it. Default: `posix`. */
  readonly style?: NameStyle | undefined;
  /**
   * Returns the location of the storage that an image at `base` calls `name`. Does no I/O. Returns `undefined` for a relative
   * name without a base. `ERR_BACKING_DENIED` for an invalid name.
   */
  readonly resolve: (base: string | undefined, name: string) => string | undefined;
  /** Returns the location of the folder that contains a location. The parent of a root is the root itself. */
  readonly parent: (location: string) => string;
  /** Returns the last part of a location, unescaped: `disk 1.img` for `https://host/dir/disk%201.img`. */
  readonly fileName?: ((location: string) => string | undefined) | undefined;
}

/**
 * Opens storages of some schemes (`file`, `https` …) by their locations.
 *
 * Core converts an error of a driver that is not a `DiskError` to `ERR_IO`.
 */
export interface StorageDriver extends LocationNames {
  /** Makes a disk over the storage at a location. `init()` opens the storage. */
  open(location: string, options: { readonly writable: boolean }): DiskModule;
  kind(location: string): Promise<PathKind>;
  /** Returns the location with all symbolic links resolved, or `undefined` if nothing exists there. */
  canonical(location: string): Promise<string | undefined>;
  /** Returns a string that is equal for two locations exactly if they lead to the same storage. */
  identity(location: string): Promise<string>;
  /**
   * Lists the names in a folder, sorted and unescaped as by `fileName`. Symbolic links are not followed. Absent if the storage
   * cannot list folders.
   *
   * Errors: `ERR_LIMIT` if there are more than `max` names, `ERR_NOT_FOUND` if the folder does not exist.
   */
  readonly list?: ((location: string, max: number) => Promise<readonly string[]>) | undefined;
}
