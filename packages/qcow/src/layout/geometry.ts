/** Sizes that follow from a header. Default unit: bytes. */
export interface Geometry {
  readonly clusterBits: number;
  readonly clusterSize: number;
  /** Bytes of an L2 entry: 8, or 16 with extended L2 entries. */
  readonly l2EntryBytes: number;
  /** Entries of an L2 table. */
  readonly l2Entries: number;
  /** Bytes of an L2 table. */
  readonly l2TableBytes: number;
  /** Guest bytes that one L2 table maps. */
  readonly l2Coverage: number;
}

/** qcow2 spec, "Cluster mapping": an L2 table fills a cluster. */
export function geometry(clusterBits: number, l2EntryBytes: 8 | 16): Geometry {
  const clusterSize = 2 ** clusterBits;
  return shape(clusterBits, l2EntryBytes, clusterSize / l2EntryBytes);
}

/** Version 1: the header gives the number of entries of an L2 table. */
export function geometryV1(clusterBits: number, l2Bits: number): Geometry {
  return shape(clusterBits, 8, 2 ** l2Bits);
}

function shape(clusterBits: number, l2EntryBytes: number, l2Entries: number): Geometry {
  const clusterSize = 2 ** clusterBits;
  return {
    clusterBits,
    clusterSize,
    l2EntryBytes,
    l2Entries,
    l2TableBytes: l2Entries * l2EntryBytes,
    l2Coverage: l2Entries * clusterSize,
  };
}

/** Entries that the L1 table needs for a disk of this size. */
export function l1EntriesFor(size: number, { l2Coverage }: Geometry): number {
  return Math.ceil(size / l2Coverage);
}
