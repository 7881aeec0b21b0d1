import type { DiskModule } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import type { Geometry } from '../../layout/geometry.ts';
import {
  compressedBytesV1,
  compressedOffsetV1,
  hostClusterOffsetV1,
  isCompressedV1,
} from '../../layout/l2-entry-v1.ts';
import { type DescribeClusters, l2Index, lostCluster, unalignedCluster } from './describe.ts';

/** Version 1: a cluster may begin at any sector. */
export function describeV1(geometry: Geometry, file: DiskModule): DescribeClusters {
  const { clusterBits, clusterSize } = geometry;
  return (table, from, to, extents) => {
    const { view } = table;
    const fileSize = file.size();
    let offset = from;
    for (let index = l2Index(from, geometry); offset < to && !extents.full; index++) {
      const hi = view.getUint32(index * 8);
      const lo = view.getUint32(index * 8 + 4);
      const inCluster = offset % clusterSize;
      const length = Math.min(to - offset, clusterSize - inCluster);
      offset += length;

      if (isCompressedV1(hi)) {
        const at = compressedOffsetV1(hi, lo, clusterBits);
        extents.compressed(length, at, compressedBytesV1(hi, clusterBits), inCluster, clusterSize);
        continue;
      }
      const host = hostClusterOffsetV1(hi, lo);
      if (host === 0) {
        extents.base(length);
        continue;
      }
      if (host % SECTOR !== 0) throw unalignedCluster(host, SECTOR, table.at + index * 8);
      if (host >= fileSize) throw lostCluster(host, file, table.at + index * 8);
      extents.data(length, host + inCluster);
    }
    return offset;
  };
}
