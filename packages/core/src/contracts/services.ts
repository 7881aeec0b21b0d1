export interface Logger {
  warn(message: string): void;
  /** What is going on. Messages are not made without a listener. */
  debug?(message: string): void;
}

export const silent: Logger = { warn() {} };

/**
 * Upper bounds, so that what an image says about itself cannot decide how much we do. Sizes are in bytes, times in
 * milliseconds.
 */
export interface Limits {
  /** Disks in one backing chain, the top included. */
  readonly maxChainDepth: number;
  /** Files beside the images (extents, segments, bands, data files) that one chain has open at a time. */
  readonly maxFiles: number;
  /** Guest bytes of one disk. */
  readonly maxVirtualSize: number;
  /** Bytes that one open disk may decompress within `inflationWindow`: several clusters may share one small stream. */
  readonly maxInflatedBytes: number;
  /** The same, as a multiple of the size of the files that the disk is stored in. */
  readonly maxInflationRatio: number;
  /**
   * Milliseconds that the two limits above count for: a disk that stays open for weeks may read one cluster a million times.
   * `Infinity`: as long as the disk is open.
   */
  readonly inflationWindow: number;
  /** A table that is held whole, as QCOW's L1 table. */
  readonly maxTableBytes: number;
  /** A refcount table: read by `check` only. */
  readonly maxRefcountTableBytes: number;
  /** Internal snapshots of one image. */
  readonly maxSnapshots: number;
  /** The table of the snapshots, or of the bitmaps, with all names in it. */
  readonly maxSnapshotTableBytes: number;
  readonly maxBitmaps: number;
  /** Rounds of key derivation that opening one image may take, once a key is given: 100 million are some 20 seconds. */
  readonly maxKeyIterations: number;
  /** Length of a name inside an image. */
  readonly maxNameBytes: number;
  /** Partitions that one table may have. */
  readonly maxPartitions: number;
  /** Layers below each other that a walk over a machine goes down: images, partitions, logical volumes. */
  readonly maxTreeDepth: number;
  /** Disks, partitions and logical volumes that a walk over a machine tells of. */
  readonly maxTreeNodes: number;
  /** Cached mapping tables of one disk, as QCOW's L2 tables. */
  readonly tableCacheBytes: number;
  /** Cached decompressed clusters of one disk. */
  readonly clusterCacheBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxChainDepth: 256,
  maxFiles: 4096,
  maxVirtualSize: Number.MAX_SAFE_INTEGER,
  maxInflatedBytes: Number.POSITIVE_INFINITY,
  maxInflationRatio: Number.POSITIVE_INFINITY,
  inflationWindow: 60_000,
  maxTableBytes: 32 * 1024 * 1024,
  maxRefcountTableBytes: 8 * 1024 * 1024,
  maxSnapshots: 65_536,
  maxSnapshotTableBytes: 16 * 1024 * 1024, // qemu allows 64 MiB, which would keep more than that in memory
  maxBitmaps: 65_535,
  maxKeyIterations: 100_000_000,
  maxNameBytes: 1023,
  maxPartitions: 4096,
  maxTreeDepth: 24,
  maxTreeNodes: 20_000,
  tableCacheBytes: 16 * 1024 * 1024,
  clusterCacheBytes: 8 * 1024 * 1024,
};
