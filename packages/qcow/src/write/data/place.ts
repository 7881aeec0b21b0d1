import type { Io } from '@diskstack/core';
import type { Placement } from '@diskstack/core/format';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { Run, TakenRun } from '../space/allocator.ts';
import { checkParts } from './check-parts.ts';
import { type ClusterPlan, type PlacedCluster, partsOf, placeClusters, planClusters } from './cow-plan.ts';
import { giveBack, putEntries } from './entry-changes.ts';
import type { WriteContext } from './write-context.ts';

/**
 * The placement of these bytes, up to the end of one L2 table. Clusters that cannot be overwritten get new host
 * clusters.
 */
export async function place(
  context: WriteContext,
  offset: number,
  length: number,
  io: Io,
): Promise<Placement> {
  await context.ready(io);
  const { state, external, encrypted } = context;
  const { l2Coverage } = context.geometry;
  const l1Index = Math.floor(offset / l2Coverage);
  const end = Math.min(offset + length, (l1Index + 1) * l2Coverage);
  const table = await state.tables.writable(l1Index);
  let runs: readonly TakenRun[] = [];
  try {
    const plans = await planClusters(context, table, offset, end);
    const needed = plans.reduce((sum, { isNew, count }) => sum + (isNew ? count : 0), 0);
    runs = external ? ownPlaces(context, plans) : await state.allocator.allocate(needed);
    const clusters = placeClusters(context, plans, runs);
    const parts = partsOf(context, clusters, encrypted);
    await checkParts(context, parts);
    return {
      length: end - offset,
      parts,
      commit: () => link(context, table, clusters),
      abandon: () => abandon(context, table, runs),
    };
  } catch (error) {
    abandon(context, table, runs);
    throw error;
  }
}

/** qcow2 spec, "External data file bit": in the data file, host offset and guest offset are equal. */
function ownPlaces({ state, geometry }: WriteContext, plans: readonly ClusterPlan[]): readonly TakenRun[] {
  const { clusterSize } = geometry;
  const end = state.file.dataFile?.size() ?? 0;
  return plans
    .filter(({ isNew }) => isNew)
    .map(({ from, count }) => {
      const cluster = Math.floor(from / clusterSize);
      return { cluster, count, isFresh: cluster * clusterSize >= end };
    });
}

/** Runs after the bytes were written: the entries name the new clusters, and the old ones are given back. */
function link(context: WriteContext, table: L2Table, clusters: readonly PlacedCluster[]): void {
  const { entries, state } = context;
  const { clusterSize } = context.geometry;
  for (const { index, count, from, to, old, isNew, whole, host } of clusters) {
    const inCluster = from % clusterSize;
    // The clusters of a run are whole, so all of them are as the first one.
    const end = Math.min(clusterSize, inCluster + to - from);
    const touched = whole ? entries.all : entries.mask(inCluster, end);
    const allocated = ((whole ? 0 : old.allocated) | touched) >>> 0;
    const zeroes = (old.zeroes & ~touched) >>> 0;
    if (allocated !== old.allocated || zeroes !== old.zeroes || isNew || old.compressed !== undefined)
      putEntries(context, table, index, count, { host, allocated, zeroes });
    if (isNew) giveBack(context, old);
  }
  state.tables.l2.release(table);
}

function abandon({ state, external }: WriteContext, table: L2Table, runs: readonly Run[]): void {
  const { tables, allocator } = state;
  tables.l2.release(table);
  if (external) return;
  for (const run of runs) allocator.untake(run).catch(() => {}); // a leak at worst; the write has its own error
}
