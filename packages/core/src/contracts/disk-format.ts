import type { ProbeWindow } from '../contracts/probe-window.ts';
import type { Codecs } from './codec.ts';
import type { CryptoPrimitives, KeyRequest } from './crypto.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { ImageAmendment, ImageCreation } from './image-creation.ts';
import type { NamedDisk } from './named-disk.ts';
import type { Limits, Logger } from './services.ts';
import type { SnapshotChoice } from './snapshot.ts';

/**
 * How certain a probe is, most certain first: a magic number at the start, a valid structure, a magic number in a footer (a guest
 * can write one at the end of a raw disk), or any content (raw only).
 */
export type Rank = 'magic' | 'structure' | 'footer' | 'fallback';

/**
 * A plugin that recognises and opens one image format.
 *
 * `probe` and `open` do no I/O: `probe` looks at bytes, and `open` makes a module, whose `init()` reads and validates.
 */
export interface DiskFormat {
  /** As in `--format`, and in the backing formats that images store: `'qcow2'`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** The optional `OpenOptions` that the format supports. */
  readonly accepts?: readonly 'snapshot'[];
  /** Bytes that `probe` needs at the start and at the end of a disk, at most 1 MiB each. Default: 4096 and 512. */
  readonly window?: { readonly head?: number; readonly tail?: number } | undefined;
  /**
   * Returns how certain it is that the disk has this format. `window` may be longer than requested, or shorter on a small disk.
   * Its tail may be empty at first: a format that needs the tail is asked again with it, unless another one has claimed the head
   * by its magic number.
   */
  probe(window: ProbeWindow): Rank | undefined;
  /** Makes a module over `downstream`. The module owns `downstream` and closes it. */
  open(downstream: DiskModule, context: OpenContext): DiskModule;
  /** How to create images. Absent for a format whose images can only be read, or only be written in place. */
  readonly create?: ImageCreation | undefined;
  /** How to change features of existing images. Absent: not possible. */
  readonly amend?: ImageAmendment | undefined;
}

/** Services and options for opening one image. The services and limits are the same for the whole chain. */
export interface OpenContext {
  readonly mountMode: MountMode;
  /** Location of the image, if it has one. */
  readonly location: string | undefined;
  /**
   * The last part of the image's own location (`disk.E01`), to derive the names of further files from. Give derived names the
   * style `posix`. `undefined` for an image without a folder, or if the driver does not support `fileName`.
   */
  readonly fileName?: string | undefined;
  readonly limits: Limits;
  /** Get a codec with `decompressorOf` or `compressorOf`, which handle a codec that the program does not have. */
  readonly codecs: Codecs;
  readonly logger: Logger;
  /** The platform's ciphers and hashes; `undefined` if the program has none. */
  crypto(): Promise<CryptoPrimitives | undefined>;
  /** The internal snapshot to open. `undefined`: the current state. */
  readonly snapshot: SnapshotChoice | undefined;
  /**
   * The bytes at the start of the disk, as the probe has read them: at least 4096, or all of a smaller disk. `undefined` when the
   * format was declared. Do not change them.
   */
  readonly head?: Uint8Array | undefined;
  /**
   * The caller wants only the metadata of this image: open no disk that it names, and ask for no key. Reads of such bytes fail.
   */
  readonly metadataOnly: boolean;
  /** Ask for no key. Reads of encrypted bytes fail. Default: false. */
  readonly withoutKeys?: boolean | undefined;
  /** The key of this image; `undefined` if the program has none. */
  keyFor(kind: KeyRequest['kind']): Promise<Uint8Array | undefined>;
  /**
   * Opens a file that holds bytes of this image, through the gate and as raw bytes. The result is initialised, and writable if
   * the image is. A format may call this for each extent, segment or band, and closes what it opens. The disks of one chain may
   * have `limits.maxFiles` such files open at a time. For a name that the format derives, see `fileName`.
   *
   * Errors: `ERR_BACKING_DENIED`, `ERR_NOT_FOUND`, `ERR_BACKING_LOOP`, `ERR_BACKING_MISMATCH` by `verify`, `ERR_LIMIT`.
   */
  openStorage(named: NamedDisk, io?: Io): Promise<DiskModule>;
  /** Opens the backing disk through the gate, initialised and read-only. Errors: those of `openStorage` and of its format. */
  openBase(named: NamedDisk, io?: Io): Promise<DiskModule>;
}

/** `'r'`: read-only. `'rw'`: read and write. */
export type MountMode = 'r' | 'rw';
