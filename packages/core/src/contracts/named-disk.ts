import type { DiskModule, Io } from './disk-module.ts';

/**
 * The rules by which a name is written: `posix` separates by slashes, `win32` by both slashes and has drives and shares
 * (`C:\`, `\\host\share`), `url` escapes characters by `%`.
 */
export type NameStyle = 'posix' | 'win32' | 'url';

/** One name of a disk. */
export interface CandidateName {
  /** The bytes of the name. They have to be UTF-8: a format that stores UTF-16 converts it first. */
  readonly name: Uint8Array;
  /**
   * How the name is written. A relative name is translated to the names of the storage driver; an absolute one is denied where
   * the driver has other rules, as a drive letter on Linux. Default: the rules of the driver, and a name that begins with
   * `scheme:` leads to the driver of that scheme.
   */
  readonly style?: NameStyle | undefined;
  /** Byte offset of the name in the image, for errors. Default: that of the `NamedDisk`. */
  readonly offset?: number | undefined;
}

/**
 * A disk that an image names: its base, or a file with its bytes (an extent, a segment, a band, a data file). A name that the
 * format derives (`disk.E02` from `disk.E01`) is judged in the same way as one that is stored in the image.
 */
export interface NamedDisk {
  /**
   * Names of the same disk, 16 at most. They are tried in this order, and the first one counts that may be opened, that exists
   * and that `verify` accepts. Empty for a disk that is known by its `uuid` alone.
   */
  readonly candidates: readonly CandidateName[];
  /** Identifies the disk, for gates that find disks by it, and for errors. */
  readonly uuid?: string | undefined;
  /** The format that the image records for it; obeyed. Without one the disk is probed. */
  readonly format?: string | undefined;
  /** Byte offset of the name in the image, for errors. */
  readonly offset: number;
  /**
   * Checks the opened disk: returns why it is not the disk that the image means (another parent CID, linkage or size), or
   * `undefined`. The next candidate is tried then. Names in the reason have to be quoted.
   */
  readonly verify?:
    | ((disk: DiskModule, io: Io) => string | undefined | Promise<string | undefined>)
    | undefined;
}
