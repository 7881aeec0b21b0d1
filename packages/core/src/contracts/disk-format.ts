import type { ProbeWindow } from '../contracts/probe-window.ts';
import type { Codecs } from './codec.ts';
import type { CryptoPrimitives, KeyRequest } from './crypto.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { ImageAmendment, ImageCreation } from './image-creation.ts';
import type { NamedDisk } from './named-disk.ts';
import type { Limits, Logger } from './services.ts';
import type { SnapshotChoice } from './snapshot.ts';

/**
 * How sure a probe is, the surest first: a magic number at the start, a structure that makes sense, a magic number in a footer
 * (a guest can write one into the end of a raw disk), or "anything will do" (raw alone).
 */
export type Rank = 'magic' | 'structure' | 'footer' | 'fallback';

/**
 * A plugin that recognises and opens one image format.
 *
 * `probe` looks at bytes and does no I/O; `open` makes a module and does none either: `init()` reads and validates.
 */
export interface DiskFormat {
  /** As in `--format` and in recorded backing formats: `'qcow2'`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** What the format can do with `OpenOptions` beyond the ordinary. */
  readonly accepts?: readonly 'snapshot'[];
  /** Bytes of both ends of a disk that `probe` has to see. Default: 4096 and 512. At most 1 MiB each. */
  readonly window?: { readonly head?: number; readonly tail?: number } | undefined;
  /** The window may be longer than the format asks for, and is shorter on a small disk. */
  probe(window: ProbeWindow): Rank | undefined;
  /** The module owns `downstream` from here on and closes it. */
  open(downstream: DiskModule, context: OpenContext): DiskModule;
  /** How images are made. Absent on a format that is only read, or whose images get only their content written. */
  readonly create?: ImageCreation | undefined;
  /** Which features of existing images can be changed. Absent: none. */
  readonly amend?: ImageAmendment | undefined;
}

/** What a format may use while it opens one image. Chosen by the caller's `open`, one for the whole chain. */
export interface OpenContext {
  readonly mountMode: MountMode;
  /** Path of the image, where it has one. */
  readonly location: string | undefined;
  /**
   * The last part of the image's own path (`disk.E01`), to derive the names of further files from: pass these with the style
   * `posix`. `undefined` for an image without a folder, and where the driver does not tell it.
   */
  readonly fileName?: string | undefined;
  readonly limits: Limits;
  /** Take one with `decompressorOf` or `compressorOf`: a program need not have every codec. */
  readonly codecs: Codecs;
  readonly logger: Logger;
  /** The platform's ciphers and hashes; `undefined` when the program wires none. */
  crypto(): Promise<CryptoPrimitives | undefined>;
  /** The internal snapshot to present; the active state without one. */
  readonly snapshot: SnapshotChoice | undefined;
  /** Opens nothing that the image names, and needs no key: for telling about one image. Reads of such bytes fail. */
  readonly metadataOnly: boolean;
  /** Needs no key. Reads of encrypted bytes fail. */
  readonly withoutKeys?: boolean | undefined;
  /** The key of this image; `undefined` when the program has none. */
  keyFor(kind: KeyRequest['kind']): Promise<Uint8Array | undefined>;
  /**
   * Opens a file that holds bytes of this image, through the gate and without a format: initialised, and writable when the
   * image is. A format may call it for each of its extents, segments or bands, and closes what it opens; the disks of one
   * chain have at most `limits.maxFiles` such files open at a time. For a name that the format derives, see `fileName`.
   *
   * Errors: `ERR_BACKING_DENIED`, `ERR_NOT_FOUND`, `ERR_BACKING_LOOP`, `ERR_BACKING_MISMATCH` by `verify`, `ERR_LIMIT`.
   */
  openStorage(named: NamedDisk, io?: Io): Promise<DiskModule>;
  /** Opens the backing disk through the gate, initialised and read-only. Errors: as `openStorage`, and those of its format. */
  openBase(named: NamedDisk, io?: Io): Promise<DiskModule>;
}

/** `'r'` reads, `'rw'` reads and writes. */
export type MountMode = 'r' | 'rw';
