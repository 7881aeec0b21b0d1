import type { CryptoPrimitives, DiskModule, Io, WorkIo } from '@diskstack/core';
import type { Luks1Settings, RandomSource } from '@diskstack/crypto';

/**
 * What is reserved in advance.
 *
 * - `off`: nothing but the L1 table
 * - `metadata`: a place for every cluster, and the tables that say so; the file is sparse
 * - `falloc`, `full`: the same, and every byte is written, so that the file system has given the space. There is no
 *   quicker way to ask for it from here, so both do the same
 */
export type Preallocation = 'off' | 'metadata' | 'falloc' | 'full';

/** A file that a new image names. */
export interface NamedFile {
  /** As it is to stand in the image: relative to the folder of the image, or absolute. UTF-8 where it is text. */
  readonly name: string | Uint8Array;
}

export interface NewBacking extends NamedFile {
  /** Without one it will be probed, which a guest can abuse: give it. */
  readonly format?: string | undefined;
}

export interface NewDataFile extends NamedFile {
  /** The file itself, writable: it gets the size of the guest's disk. It stays the caller's. */
  readonly disk: DiskModule;
  /** The file is a raw image of its own at any time, whatever the tables say. */
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

/** What decides about the shape of a new image, under the names of `qemu-img create -o`. */
export interface QcowShape {
  /** Guest bytes; rounded up to whole sectors of 512. */
  readonly size: number;
  /** 2 (`compat=0.10`) or 3 (`compat=1.1`). 3 unless told. */
  readonly version?: 2 | 3 | undefined;
  /** A power of two from 512 to 2 MiB. 64 KiB unless told. */
  readonly clusterSize?: number | undefined;
  /** A power of two up to 64. 16 unless told; other widths need version 3. */
  readonly refcountBits?: number | undefined;
  /** Sub-clusters: 32 of a cluster. Needs version 3 and clusters of 16 KiB. */
  readonly extendedL2?: boolean | undefined;
  readonly preallocation?: Preallocation | undefined;
}

export interface CreateQcowOptions extends QcowShape, WorkIo {
  /** Refcounts may be written late, behind a dirty bit. Needs version 3. */
  readonly lazyRefcounts?: boolean | undefined;
  /** Of clusters that are written compressed. `zstd` needs version 3. `zlib` unless told. */
  readonly compressionType?: 'zlib' | 'zstd' | undefined;
  readonly backing?: NewBacking | undefined;
  /** Holds the guest's clusters in place of the image. Needs version 3. */
  readonly dataFile?: NewDataFile | undefined;
  readonly encryption?: NewEncryption | undefined;
  /** What encrypts. Portable primitives unless told: `nodePrimitives` are many times faster. */
  readonly crypto?: CryptoPrimitives | undefined;
  /** Where keys, salts and the UUID of the encryption come from: the platform's source unless told. */
  readonly random?: RandomSource | undefined;
}

/** A new image of version 1. Clusters have 4 KiB, or 512 bytes above a backing file, as qemu makes them. */
export interface CreateQcow1Options extends Io {
  /** Guest bytes, at least 1; rounded up to whole sectors of 512. */
  readonly size: number;
  /** Version 1 does not record the format: it will be probed. */
  readonly backing?: NamedFile | undefined;
  /** Version 1 has the legacy encryption alone. */
  readonly encryption?: NewEncryption | undefined;
}

/** What `measureQcow` is to know of an image that is not made yet. */
export interface MeasureQcowOptions extends QcowShape {
  /** What would be written into it: its size counts in place of `size`. An empty image without one. */
  readonly source?: DiskModule | undefined;
  /** It would have a backing file. */
  readonly hasBacking?: boolean | undefined;
  readonly encryption?: EncryptionShape | undefined;
}

/** Bytes of a file. */
export interface QcowMeasure {
  /** At the least, and seldom less: metadata counts as in an image that is full. */
  readonly required: number;
  /** With a place for every cluster. */
  readonly fullyAllocated: number;
  /** For copies of the source's bitmaps, which the others do not count. Absent where either has none. */
  readonly bitmaps?: number;
}
