import { DEFAULT_LIMITS, DiskError } from '@diskstack/core';
import { refcountSpace } from './refcount-space.ts';
import type { Shape } from './shape.ts';

/** Whole clusters for one structure of the new image. */
interface Region {
  /** Byte of the image. */
  readonly at: number;
  readonly clusters: number;
}

/** The place of every structure. They follow each other, so that every cluster is used exactly once. */
export interface Plan {
  readonly refcountTable: Region;
  readonly refcountBlocks: Region;
  readonly l1Table: Region;
  readonly encryptionHeader: Region;
  /** L2 tables of a preallocated image. */
  readonly l2Tables: Region;
  /** Guest clusters of a preallocated image without a data file. */
  readonly data: Region;
  /** Number of all clusters, including the header's. */
  readonly clusters: number;
  /** Bytes of the file. */
  readonly end: number;
}

export interface Needs {
  /** Bytes of the encryption header, 0 without one. */
  readonly encryptionHeaderBytes: number;
  /** Guest clusters are in the image itself. */
  readonly holdsData: boolean;
}

export function planImage(shape: Shape, { encryptionHeaderBytes, holdsData }: Needs): Plan {
  const { geometry, l1Size, guestClusters, refcountOrder } = shape;
  const { clusterSize } = geometry;
  const isPreallocated = shape.preallocation !== 'off';
  const l1Clusters = Math.ceil((l1Size * 8) / clusterSize);
  const encryptionClusters = Math.ceil(encryptionHeaderBytes / clusterSize);
  const l2Clusters = isPreallocated ? l1Size : 0;
  const dataClusters = isPreallocated && holdsData ? guestClusters : 0;
  const counted = 1 + l1Clusters + encryptionClusters + l2Clusters + dataClusters;
  const { blocks, tableClusters } = refcountSpace(counted, clusterSize, refcountOrder);
  const tableBytes = tableClusters * clusterSize;
  if (tableBytes > DEFAULT_LIMITS.maxRefcountTableBytes) {
    throw new DiskError(
      'ERR_LIMIT',
      `${counted} clusters need a refcount table of ${tableBytes} bytes, ${DEFAULT_LIMITS.maxRefcountTableBytes} are allowed; larger clusters make it smaller`,
    );
  }

  let next = 1;
  const region = (clusters: number): Region => {
    const at = next * clusterSize;
    next += clusters;
    return { at, clusters };
  };
  const refcountTable = region(tableClusters);
  const refcountBlocks = region(blocks);
  const l1Table = region(l1Clusters);
  const encryptionHeader = region(encryptionClusters);
  const l2Tables = region(l2Clusters);
  const data = region(dataClusters);
  const end = dataClusters > 0 ? data.at + shape.size : next * clusterSize; // the last guest cluster may be incomplete
  return {
    refcountTable,
    refcountBlocks,
    l1Table,
    encryptionHeader,
    l2Tables,
    data,
    clusters: next,
    end,
  };
}
