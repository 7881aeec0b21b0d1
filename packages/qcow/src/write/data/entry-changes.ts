import type { L2Table } from '../../tables/l2-tables.ts';
import { type ClusterEntry, type CompressedPlace, hostsOf } from '../metadata/cluster-entries.ts';
import type { WriteContext } from './write-context.ts';

/** Writes an entry. Default: its host cluster has refcount 1 (`copied`). */
export function putEntry(
  context: WriteContext,
  table: L2Table,
  index: number,
  entry: ClusterEntry,
  copied = true,
): void {
  context.entries.put(table, index, entry, copied);
  markEntries(context, table, index);
}

/** Writes `count` entries for contiguous host clusters of refcount 1. `entry`: the first of them. */
export function putEntries(
  context: WriteContext,
  table: L2Table,
  index: number,
  count: number,
  { host, allocated, zeroes }: PlacedEntry,
): void {
  const { entries, geometry } = context;
  for (let done = 0; done < count; done++) {
    entries.put(table, index + done, { host: host + done * geometry.clusterSize, allocated, zeroes }, true);
  }
  markEntries(context, table, index, count);
}

/** An entry that names a host cluster. */
type PlacedEntry = ClusterEntry & { readonly host: number };

export function putCompressedEntry(
  context: WriteContext,
  table: L2Table,
  index: number,
  place: CompressedPlace,
): void {
  context.entries.putCompressed(table, index, place);
  markEntries(context, table, index);
}

function markEntries({ state, geometry }: WriteContext, table: L2Table, index: number, count = 1): void {
  const { l2EntryBytes } = geometry;
  state.tables.l2.mark(table, index * l2EntryBytes, (index + count) * l2EntryBytes);
}

/** Gives back the host clusters that an entry referred to. */
export function giveBack({ state, geometry, external }: WriteContext, entry: ClusterEntry): void {
  if (external) return;
  const hosts = hostsOf(entry, geometry.clusterSize);
  if (hosts !== undefined) state.allocator.give(hosts.cluster, hosts.count);
}
