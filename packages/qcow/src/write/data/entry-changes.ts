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
  markEntry(context, table, index);
}

export function putCompressedEntry(
  context: WriteContext,
  table: L2Table,
  index: number,
  place: CompressedPlace,
): void {
  context.entries.putCompressed(table, index, place);
  markEntry(context, table, index);
}

function markEntry({ state, geometry }: WriteContext, table: L2Table, index: number): void {
  const { l2EntryBytes } = geometry;
  state.tables.l2.mark(table, index * l2EntryBytes, (index + 1) * l2EntryBytes);
}

/** Gives back the host clusters that an entry referred to. */
export function giveBack({ state, geometry, external }: WriteContext, entry: ClusterEntry): void {
  if (external) return;
  const hosts = hostsOf(entry, geometry.clusterSize);
  if (hosts !== undefined) state.allocator.give(hosts.cluster, hosts.count);
}
