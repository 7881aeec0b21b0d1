import type { DiskModule, Io } from './disk-module.ts';

/**
 * The syntax of a name. `posix`: separated by `/`. `win32`: separated by `/` or `\`, with drives and shares (`C:\`,
 * `\\host\share`). `url`: separated by `/`, with `%` escapes.
 */
export type NameStyle = 'posix' | 'win32' | 'url';

/** One possible name of a disk. */
export interface CandidateName {
  /** The name in UTF-8. A format that stores UTF-16 converts it first. */
  readonly name: Uint8Array;
  /**
   * The syntax of the name. A relative name is translated to the syntax of the storage driver. An absolute name is denied if the
   * driver has another syntax (a drive letter on Linux). Default: the syntax of the driver, and a name that begins with `scheme:`
   * selects the driver of that scheme.
   */
  readonly style?: NameStyle | undefined;
  /** Byte offset of the name in the image, for errors. Default: the offset of the `NamedDisk`. */
  readonly offset?: number | undefined;
}

/**
 * A disk that an image names: its base, or a file with bytes of the image (an extent, a segment, a band, a data file). The gate
 * checks names that the format derives (`disk.E02` from `disk.E01`) in the same way as names that the image stores.
 */
export interface NamedDisk {
  /**
   * Possible names of the disk, at most 16. They are tried in order. The first one is used that the gate allows, that exists and
   * that `verify` accepts. Empty for a disk that is identified by its `uuid` alone.
   */
  readonly candidates: readonly CandidateName[];
  /** Identifies the disk, for gates that find disks by UUID, and for errors. */
  readonly uuid?: string | undefined;
  /** The format of the disk, as the image records it. It is not probed then. Default: the disk is probed. */
  readonly format?: string | undefined;
  /** Byte offset of the name in the image, for errors. */
  readonly offset: number;
  /**
   * Checks an opened disk. Returns `undefined` if it is the right one, otherwise the reason why it is not (a wrong parent CID,
   * linkage or size); the next candidate is tried then. Names in the reason have to be quoted with `quote`.
   */
  readonly verify?:
    | ((disk: DiskModule, io: Io) => string | undefined | Promise<string | undefined>)
    | undefined;
}
