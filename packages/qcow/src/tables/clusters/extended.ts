import { DiskError, type ExtentList, hex } from '@diskstack/core';
import {
  contradicts,
  isWhollyAllocated,
  SUBCLUSTERS,
  subclusterKind,
} from '../../layout/extended-l2-entry.ts';
import {
  compressedBytes,
  compressedOffset,
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

/** qcow2 spec, "Extended L2 Entries": 16 bytes, the second half a bitmap of 32 sub-clusters. */
export function describeExtended({ geometry, file, external }: ClusterContext): DescribeClusters {
  const { clusterBits, clusterSize } = geometry;
  const subclusterSize = clusterSize / SUBCLUSTERS;
  return (table, from, to, extents) => {
    const { view } = table;
    const fileSize = file.size();
    let offset = from;
    for (let index = l2Index(from, geometry); offset < to && !extents.full; index++) {
      const at = index * 16;
      const hi = view.getUint32(at);
      const lo = view.getUint32(at + 4);
      const zero = view.getUint32(at + 8);
      const allocation = view.getUint32(at + 12);
      if ((hi | lo | zero | allocation) === 0) {
        const length = emptyRun(table, offset, to, geometry);
        extents.base(length);
        index += Math.ceil(((offset % clusterSize) + length) / clusterSize) - 1;
        offset += length;
        continue;
      }
      const inCluster = offset % clusterSize;
      const length = Math.min(to - offset, clusterSize - inCluster);

      if (isCompressed(hi)) {
        if (external) throw compressedExternally(table.at + at);
        const compressedAt = compressedOffset(hi, lo, clusterBits);
        extents.compressed(
          length,
          compressedAt,
          compressedBytes(hi, lo, clusterBits),
          inCluster,
          clusterSize,
        );
        offset += length;
        continue;
      }
      const host = hostClusterOffset(hi, lo);
      if (host % clusterSize !== 0) throw unalignedCluster(host, clusterSize, table.at + at);
      const isNowhere = host === 0 && !(external && isCopied(hi));
      if (contradicts(allocation, zero) || (isNowhere && allocation !== 0)) {
        throw badBitmap(allocation, zero, host, table.at + at);
      }
      const guest = offset - inCluster;
      if (external && !isNowhere && host !== guest) throw misplacedCluster(host, guest, table.at + at);
      if (allocation !== 0 && host >= fileSize) throw lostCluster(host, file, table.at + at);

      if (isWhollyAllocated(allocation, zero)) {
        extents.data(length, host + inCluster);
        offset += length;
      } else {
        offset += describeSubclusters(
          inCluster,
          length,
          allocation,
          zero,
          isNowhere ? undefined : host,
          subclusterSize,
          extents,
        );
      }
    }
    return offset;
  };
}

/** Sub-cluster by sub-cluster; answers the bytes described, fewer than `length` only when the list is full. */
function describeSubclusters(
  inCluster: number,
  length: number,
  allocation: number,
  zero: number,
  host: number | undefined,
  subclusterSize: number,
  extents: ExtentList,
): number {
  const end = inCluster + length;
  let position = inCluster;
  while (position < end && !extents.full) {
    const index = Math.floor(position / subclusterSize);
    const part = Math.min(end, (index + 1) * subclusterSize) - position;
    const at = host === undefined ? undefined : host + position;
    switch (subclusterKind(allocation, zero, index)) {
      case 'allocated':
        extents.data(part, (host ?? 0) + position);
        break;
      case 'zero':
        extents.zero(part, at);
        break;
      case 'unallocated':
        extents.base(part, at);
        break;
    }
    position += part;
  }
  return position - inCluster;
}

function badBitmap(allocation: number, zero: number, host: number, entryAt: number): DiskError {
  return new DiskError(
    'ERR_CORRUPT',
    `sub-clusters allocated ${hex(allocation)} and zero ${hex(zero)} contradict each other or the cluster's offset ${hex(host)}`,
    { offset: entryAt },
  );
}
