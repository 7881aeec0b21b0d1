import type { DiskModule } from './disk-module.ts';
import type { NameStyle } from './named-disk.ts';

/** What is at a location, symbolic links not followed. */
export type PathKind = 'file' | 'symlink' | 'folder' | 'device' | 'other' | 'missing';

/**
 * How a driver names its storages. A _location_ is text that leads to one storage: `/images/disk.qcow2`,
 * `https://host/disk.qcow2`, `memory:/disk`. It keeps its scheme. Only the driver knows what is between a scheme and
 * the end: core cuts no location into folders.
 *
 * `posixNames` and `urlNames` make the two usual kinds.
 */
export interface LocationNames {
  /** Schemes of its locations: `['http', 'https']`. Plain paths go to the first driver of a program. */
  readonly schemes: readonly string[];
  /** Whether a text that begins as with a scheme is a plain path all the same: `C:\disk.img` on Windows. Default: no. */
  readonly isPath?: ((text: string) => boolean) | undefined;
  /** The rules of its paths. Names in images that are written by other rules are translated to them. Default: `posix`. */
  readonly style?: NameStyle | undefined;
  /**
   * The location of a storage that an image at `base` names, by the rules of the driver: no storage is asked. `undefined`
   * for a relative name without a base. `ERR_BACKING_DENIED` for a name that cannot be one.
   */
  readonly resolve: (base: string | undefined, name: string) => string | undefined;
  /** The folder of a location, which is a location too. The parent of a root is the root itself. */
  readonly parent: (location: string) => string;
  /** The last part of a location, without escapes: `disk 1.img` of `https://host/dir/disk%201.img`. */
  readonly fileName?: ((location: string) => string | undefined) | undefined;
}

/**
 * Opens storages of some schemes (`file`, `https` …) by their locations.
 *
 * What a driver throws that is no `DiskError` becomes one (`ERR_IO`) where it is called.
 */
export interface StorageDriver extends LocationNames {
  /** Makes a disk over what is there; `init()` opens it. */
  open(location: string, options: { readonly writable: boolean }): DiskModule;
  kind(location: string): Promise<PathKind>;
  /** The location with every symbolic link resolved, or `undefined` where nothing is. */
  canonical(location: string): Promise<string | undefined>;
  /** A string that two locations share exactly when they lead to one and the same storage. */
  identity(location: string): Promise<string>;
  /**
   * Names of what is in a folder, sorted, as `fileName` gives them; symbolic links are not followed. Absent where the storage
   * has no list of them.
   *
   * Errors: `ERR_LIMIT` when there are more than `max`, `ERR_NOT_FOUND` without such a folder.
   */
  readonly list?: ((location: string, max: number) => Promise<readonly string[]>) | undefined;
}
