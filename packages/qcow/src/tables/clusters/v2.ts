import type { DiskModule } from '@diskstack/core';
import type { ExtentList } from '@diskstack/core/format';
import { L2Entry, type L2Shape, NO_HOST } from '../../layout/decoded-l2-entry.ts';
import { entryRun } from '../../layout/entry-run.ts';
import { SUBCLUSTERS, subclusterKind } from '../../layout/extended-l2-entry.ts';
import {
  compressedExternally,
  type DescribeClusters,
  emptyRun,
  l2EntryError,
  l2Index,
  lostCluster,
  misplacedCluster,
} from './describe.ts';

/**
 * Versions 2 and 3. qcow2 spec, "Cluster mapping" and "Extended L2 Entries".
 *
 * @param file holds the clusters: the image, or its external data file
 */
export function describeV2(shape: L2Shape, file: DiskModule): DescribeClusters {
  const { geometry, extended, external } = shape;
  const { clusterSize, l2EntryBytes } = geometry;
  const all = extended ? 0xffffffff : 1;
  const entry = new L2Entry();
  return (table, from, to, extents) => {
    const { view } = table;
    const fileSize = file.size();
    let offset = from;
    for (let index = l2Index(from, geometry); offset < to && !extents.full; index++) {
      const at = index * l2EntryBytes;
      const problem = entry.decode(view, at, shape);
      if (problem !== undefined) throw l2EntryError(problem, entry, shape, table.at + at);
      const { host, stored, allocated, zeroes } = entry;
      if (host === NO_HOST && (allocated | zeroes) === 0) {
        const length = emptyRun(table, offset, to, geometry);
        extents.base(length);
        index += Math.ceil(((offset % clusterSize) + length) / clusterSize) - 1;
        offset += length;
        continue;
      }
      const inCluster = offset % clusterSize;
      const length = Math.min(to - offset, clusterSize - inCluster);
      if (stored !== 0) {
        if (external) throw compressedExternally(table.at + at);
        extents.compressed(length, host, stored, inCluster, clusterSize);
        offset += length;
        continue;
      }
      const start = offset - inCluster;
      // The place of a zero cluster is only reserved, so it is not judged.
      if (external && host !== NO_HOST && host !== start && (extended || allocated !== 0))
        throw misplacedCluster(host, start, table.at + at);
      if (allocated !== 0 && host >= fileSize) throw lostCluster(host, file, table.at + at);
      if (extended && allocated !== all) {
        offset += describeSubclusters(entry, inCluster, length, clusterSize / SUBCLUSTERS, extents);
        continue;
      }
      // Clusters that follow each other are one extent.
      const most = Math.min(
        Math.ceil((to - start) / clusterSize),
        Math.ceil((fileSize - host) / clusterSize),
      );
      const count = host === NO_HOST || most < 2 ? 1 : entryRun(view, at, most, geometry);
      const run = Math.min(to, start + count * clusterSize) - offset;
      if (allocated === all) extents.data(run, host + inCluster);
      // Preallocated: what is stored there is not the content.
      else extents.zero(run, host === NO_HOST ? NO_HOST : host + inCluster);
      offset += run;
      index += count - 1;
    }
    return offset;
  };
}

/**
 * Describes a cluster sub-cluster by sub-cluster. Returns the bytes described: fewer than `length` only when the list
 * is full.
 */
function describeSubclusters(
  { host, allocated, zeroes }: L2Entry,
  inCluster: number,
  length: number,
  subclusterSize: number,
  extents: ExtentList,
): number {
  const end = inCluster + length;
  let position = inCluster;
  while (position < end && !extents.full) {
    const index = Math.floor(position / subclusterSize);
    const part = Math.min(end, (index + 1) * subclusterSize) - position;
    const at = host === NO_HOST ? undefined : host + position;
    switch (subclusterKind(allocated, zeroes, index)) {
      case 'allocated':
        extents.data(part, host + position);
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
