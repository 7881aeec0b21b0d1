import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { SnapshotChoice } from '../contracts/snapshot.ts';
import type { BackingGate } from './backing-gate.ts';

/** What can be opened: a path, bytes, a `Blob` or `File`, or a disk. The stack then owns that disk. */
export type Source = string | Uint8Array | Blob | DiskModule;

export interface PushOptions extends Io {
  /** Name of the format. Default: the disk is probed. */
  readonly format?: string | undefined;
  /** Default: `'r'`. */
  readonly mountMode?: MountMode | undefined;
  /**
   * Opens nothing that the image names, and asks for no key. Reads that need either are an error. For tools that
   * describe one image.
   */
  readonly metadataOnly?: boolean | undefined;
  /** Asks for no key: the disk opens, and reads of encrypted bytes are an error. For tools that describe a chain. */
  readonly withoutKeys?: boolean | undefined;
  /** The internal snapshot to open, by id or name. Default: the active state. */
  readonly snapshot?: SnapshotChoice | undefined;
  /**
   * Further folders below which backing files may be opened. Always allowed: the folder of an image that the caller opens
   * by its path.
   */
  readonly allowBacking?: readonly string[] | undefined;
  /** Schemes of registered drivers that a backing name may have. Default: none. */
  readonly allowSchemes?: readonly string[] | undefined;
  /** Replaces the gate of the program. `'deny'` opens nothing that an image names. */
  readonly gate?: BackingGate | 'deny' | undefined;
  /**
   * The path that counts as the image's own: relative names in the image are resolved against it, and files below its folder may
   * be opened. Default: the path that the image is opened by. An image on a disk or at an `offset` has none, because it was found
   * inside another disk: it may name volumes and what `allowBacking` allows.
   */
  readonly location?: string | undefined;
}

export interface OpenOptions extends PushOptions {
  /** Byte offset in the source at which the image starts. Default: 0. */
  readonly offset?: number | undefined;
  /** Returns the `getBase()` of the disk. Default: false. */
  readonly baseOnly?: boolean | undefined;
}

export interface LayerOptions extends OpenOptions {
  /**
   * Addresses of further physical volumes of the groups that the path leads through. If several are copies of one disk, the
   * first one counts.
   */
  readonly pvs?: readonly string[] | undefined;
}
