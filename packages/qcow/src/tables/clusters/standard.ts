import { DiskError } from '@diskstack/core';
import {
  compressedBytes,
  compressedOffset,
  hasZeroFlag,
  hostClusterOffset,
  isCompressed,
  isCopied,
} from '../../layout/l2-entry.ts';
import {
  type ClusterContext,
  compressedExternally,
  type DescribeClusters,
  emptyRun,
  l2Index,
  lostCluster,
  misplacedCluster,
  unalignedCluster,
} from './describe.ts';

/** Versions 2 and 3, L2 entries of 8 bytes. */
export function describeStandard(
  { geometry, file, external }: ClusterContext,
  version: number,
): DescribeClusters {
  const { clusterBits, clusterSize } = geometry;
  return (table, from, to, extents) => {
    const { view } = table;
    const fileSize = file.size();
    let offset = from;
    for (let index = l2Index(from, geometry); offset < to && !extents.full; index++) {
      const hi = view.getUint32(index * 8);
      const lo = view.getUint32(index * 8 + 4);
      if ((hi | lo) === 0) {
        const length = emptyRun(table, offset, to, geometry);
        extents.base(length);
        index += Math.ceil(((offset % clusterSize) + length) / clusterSize) - 1;
        offset += length;
        continue;
      }
      const inCluster = offset % clusterSize;
      const length = Math.min(to - offset, clusterSize - inCluster);
      offset += length;

      if (isCompressed(hi)) {
        if (external) throw compressedExternally(table.at + index * 8);
        const at = compressedOffset(hi, lo, clusterBits);
        extents.compressed(length, at, compressedBytes(hi, lo, clusterBits), inCluster, clusterSize);
        continue;
      }
      const host = hostClusterOffset(hi, lo);
      if (host % clusterSize !== 0) throw unalignedCluster(host, clusterSize, table.at + index * 8);
      if (hasZeroFlag(lo)) {
        if (version < 3) {
          throw new DiskError(
            'ERR_CORRUPT',
            `a zero cluster in an image of version ${version}, version 3 has them`,
            {
              offset: table.at + index * 8,
            },
          );
        }
        if (host === 0) extents.zero(length);
        else extents.zero(length, host + inCluster); // preallocated: what stands there is not the content
      } else if (host === 0 && !(external && isCopied(hi))) {
        extents.base(length);
      } else {
        const guest = offset - length - inCluster;
        if (external && host !== guest) throw misplacedCluster(host, guest, table.at + index * 8);
        if (host >= fileSize) throw lostCluster(host, file, table.at + index * 8);
        extents.data(length, host + inCluster);
      }
    }
    return offset;
  };
}
