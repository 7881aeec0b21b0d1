import type { DiskModule, Io, WorkIo } from '@diskstack/core';
import type { CryptoPrimitives } from '@diskstack/core/format';
import type { Luks1Settings, RandomSource } from '@diskstack/crypto';

/**
 * What is allocated in advance.
 *
 * - `off`: only the L1 table
 * - `metadata`: every cluster, with all tables; the file is sparse
 * - `full`: like `metadata`, and zeroes are written, so that the file system allocates the space
 * - `falloc`: the same, by `writeZeroes` of the disk if it has that: a file with a host reserves the space
 */
export type Preallocation = 'off' | 'metadata' | 'falloc' | 'full';

/** A file that a new image names. */
export interface NamedFile {
  /**
   * The name as it is stored in the image: relative to the folder of the image, or absolute. A string is stored as
   * UTF-8.
   */
  readonly name: string | Uint8Array;
}

export interface NewBacking extends NamedFile {
  /** Without a format readers probe the file, which a guest can abuse: pass it. */
  readonly format?: string | undefined;
}

export interface NewDataFile extends NamedFile {
  /** The file itself, writable. It is resized to the guest disk, and remains the caller's. */
  readonly disk: DiskModule;
  /** The file is always a valid raw image, whatever the tables say. */
  readonly raw?: boolean | undefined;
}

/** How an image is encrypted. */
export type EncryptionShape =
  | {
      /** LUKS 1. */
      readonly kind: 'luks';
      readonly settings?: Luks1Settings | undefined;
    }
  | {
      /** The legacy encryption of versions 1 and 2: it is weak. Its key is the first 16 bytes of the passphrase. */
      readonly kind: 'aes';
    };

export type NewEncryption = EncryptionShape & { readonly passphrase: Uint8Array };

/** The options of a new image that determine its structure. They correspond to those of `qemu-img create -o`. */
export interface QcowShape {
  /** Guest bytes; rounded up to whole sectors of 512. */
  readonly size: number;
  /** 2 (`compat=0.10`) or 3 (`compat=1.1`). Default: 3. */
  readonly version?: 2 | 3 | undefined;
  /** A power of two from 512 to 2 MiB. Default: 64 KiB. */
  readonly clusterSize?: number | undefined;
  /** A power of two up to 64. Default: 16. Other widths need version 3. */
  readonly refcountBits?: number | undefined;
  /** Divides each cluster into 32 sub-clusters. Needs version 3 and clusters of at least 16 KiB. */
  readonly extendedL2?: boolean | undefined;
  readonly preallocation?: Preallocation | undefined;
}

export interface CreateQcowOptions extends QcowShape, WorkIo {
  /** Allows writers to delay refcount updates, protected by the dirty bit. Needs version 3. */
  readonly lazyRefcounts?: boolean | undefined;
  /** Compression of clusters. `zstd` needs version 3. Default: `zlib`. */
  readonly compressionType?: 'zlib' | 'zstd' | undefined;
  readonly backing?: NewBacking | undefined;
  /** Holds the guest clusters instead of the image. Needs version 3. */
  readonly dataFile?: NewDataFile | undefined;
  readonly encryption?: NewEncryption | undefined;
  /** The implementation of ciphers. Default: portable primitives. `nodePrimitives` are many times faster. */
  readonly crypto?: CryptoPrimitives | undefined;
  /** Source of keys, salts and the UUID of the encryption. Default: the platform's random source. */
  readonly random?: RandomSource | undefined;
}

/** A new image of version 1. Clusters have 4 KiB, or 512 bytes above a backing file, as qemu makes them. */
export interface CreateQcow1Options extends Io {
  /** Guest bytes, at least 1; rounded up to whole sectors of 512. */
  readonly size: number;
  /** Version 1 does not record the format: readers probe it. */
  readonly backing?: NamedFile | undefined;
  /** Version 1 has only the legacy encryption. */
  readonly encryption?: NewEncryption | undefined;
}

/** The image that `measureQcow` measures. */
export interface MeasureQcowOptions extends QcowShape {
  /** The future content. Its size replaces `size`. Default: an empty image. */
  readonly source?: DiskModule | undefined;
  /** The image would have a backing file. */
  readonly hasBacking?: boolean | undefined;
  readonly encryption?: EncryptionShape | undefined;
}
