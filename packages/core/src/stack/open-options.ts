import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { SnapshotChoice } from '../contracts/snapshot.ts';
import type { BackingGate } from './backing-gate.ts';

/** What can be opened: a path, bytes, a `Blob` or `File`, or a disk (which is then owned by the stack). */
export type Source = string | Uint8Array | Blob | DiskModule;

export interface PushOptions extends Io {
  /** Name of the format. Without it the disk is probed; with it nothing is guessed. */
  readonly format?: string | undefined;
  /** Default: `'r'`. */
  readonly mountMode?: MountMode | undefined;
  /**
   * Opens nothing that the image names and asks for no key; bytes that would need either are an error. For telling about
   * one image.
   */
  readonly metadataOnly?: boolean | undefined;
  /** Asks for no key: the disk opens, and reads of encrypted bytes are an error. For telling about a chain. */
  readonly withoutKeys?: boolean | undefined;
  /** An internal snapshot in place of the active state: its id or its name, or each by itself. */
  readonly snapshot?: SnapshotChoice | undefined;
  /** Further folders below which backing files may be, beside the folder of the image that the caller opens by its path. */
  readonly allowBacking?: readonly string[] | undefined;
  /** Schemes that a backing name may have, of registered drivers. None when absent. */
  readonly allowSchemes?: readonly string[] | undefined;
  /** In place of the program's gate. `'deny'` opens nothing that an image names. */
  readonly gate?: BackingGate | 'deny' | undefined;
  /**
   * The path that the image counts as having: relative names in it are seen from there, and files below its folder may be
   * opened. Default: the path that it is opened by. An image on a disk, or at an `offset`, has none: it was found inside
   * something, and may name volumes, and what `allowBacking` allows.
   */
  readonly location?: string | undefined;
}

export interface OpenOptions extends PushOptions {
  /** Byte of the source at which the image starts. Default: 0. */
  readonly offset?: number | undefined;
  /** Answer the disk's `getBase()`. */
  readonly baseOnly?: boolean | undefined;
}

export interface LayerOptions extends OpenOptions {
  /** Further physical volumes of groups on the way, by their addresses, in the order in which they count. */
  readonly pvs?: readonly string[] | undefined;
}
