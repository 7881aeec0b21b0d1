export interface Logger {
  warn(message: string): void;
  /** Progress messages. They are built only if this method exists. */
  debug?(message: string): void;
}

export const silent: Logger = { warn() {} };

/** Upper bounds on the work and memory that a hostile image can cause. Sizes are in bytes, times in milliseconds. */
export interface Limits {
  /** Disks in one backing chain, including the top. */
  readonly maxChainDepth: number;
  /** Additional files (extents, segments, bands, data files) that one chain may have open at a time. */
  readonly maxFiles: number;
  /** Guest bytes of one disk. */
  readonly maxVirtualSize: number;
  /** Bytes that one open disk may decompress per `inflationWindow`. Many clusters can refer to one small compressed stream. */
  readonly maxInflatedBytes: number;
  /** The same bound, as a multiple of the size of the files that the disk is stored in. */
  readonly maxInflationRatio: number;
  /**
   * Milliseconds after which the two limits above start again from zero, because a disk that stays open for weeks may read one
   * cluster a million times. `Infinity`: never, they count for as long as the disk is open.
   */
  readonly inflationWindow: number;
  /** A table that is kept in memory as a whole, such as QCOW's L1 table. */
  readonly maxTableBytes: number;
  /** A refcount table. */
  readonly maxRefcountTableBytes: number;
  /** Internal snapshots of one image. */
  readonly maxSnapshots: number;
  /** The snapshot table or the bitmap directory, including all names. */
  readonly maxSnapshotTableBytes: number;
  readonly maxBitmaps: number;
  /** Iterations of key derivation to open one image with a key. 100 million take about 20 seconds. */
  readonly maxKeyIterations: number;
  /** Length of a name that an image stores. */
  readonly maxNameBytes: number;
  /** Partitions in one table. */
  readonly maxPartitions: number;
  /** Nested layers (images, partitions, logical volumes) in the tree of a machine. */
  readonly maxTreeDepth: number;
  /** Disks, partitions and logical volumes in the tree of a machine. */
  readonly maxTreeNodes: number;
  /** Cached mapping tables of one disk, such as QCOW's L2 tables. */
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
  maxSnapshotTableBytes: 16 * 1024 * 1024, // qemu allows 64 MiB, which would take even more memory when decoded
  maxBitmaps: 65_535,
  maxKeyIterations: 100_000_000,
  maxNameBytes: 1023,
  maxPartitions: 4096,
  maxTreeDepth: 24,
  maxTreeNodes: 20_000,
  tableCacheBytes: 16 * 1024 * 1024,
  clusterCacheBytes: 8 * 1024 * 1024,
};
