import type { Io } from '@diskstack/core';
import { breathe, roundUp, throwIfAborted } from '@diskstack/core/format';
import { NO_CLUSTER } from '../metadata/cluster-entries.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import { eachCluster } from './each-cluster.ts';
import { giveBack, putEntry } from './entry-changes.ts';
import type { WriteContext } from './write-context.ts';

/** Clusters that are given back at a time: the work can be interrupted in between. */
const MOST_GIVEN = 65_536;

/**
 * Makes whole clusters read as zeroes, even above a base. Version 2 has no such entry, so nothing happens above a base
 * there.
 */
export async function discard(context: WriteContext, offset: number, length: number, io: Io): Promise<void> {
  const { entries, state, base, rawData } = context;
  if (rawData) return;
  const { version } = state.image.header;
  const baseEnd = base?.size() ?? 0;
  if (version < 3 && baseEnd > offset) return;
  const range = { offset, end: offset + length, newBefore: baseEnd };
  await eachCluster(context, range, io, async (table, { index, offset: start }) => {
    const old = entries.read(table, index);
    const hasPlace = old.host !== undefined || old.compressed !== undefined;
    if (!hasPlace && start >= baseEnd) return;
    putEntry(context, table, index, { ...NO_CLUSTER, zeroes: version < 3 ? 0 : entries.all });
    giveBack(context, old);
  });
}

/** Frees what is past the end of a disk that became shorter: clusters, and tables that map nothing else. */
export async function forget(context: WriteContext, from: number, to: number, io: Io): Promise<void> {
  const { entries, geometry } = context;
  const { clusterSize, l2Coverage } = geometry;
  const firstTable = Math.ceil(from / l2Coverage);
  const range = { offset: roundUp(from, clusterSize), end: Math.min(to, firstTable * l2Coverage) };
  await eachCluster(context, range, io, async (table, { index }) => {
    const old = entries.read(table, index);
    putEntry(context, table, index, NO_CLUSTER);
    giveBack(context, old);
  });
  for (let l1Index = firstTable; l1Index * l2Coverage < to; l1Index++) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    throwIfAborted(io.signal);
    await forgetTable(context, l1Index, io);
    if (context.state.allocator.clustersGiven >= MOST_GIVEN) await flushMetadata(context.state);
  }
}

async function forgetTable(context: WriteContext, l1Index: number, io: Io): Promise<void> {
  const { entries, geometry, state } = context;
  const { tables, allocator } = state;
  await context.ready(io);
  const table = await tables.table(l1Index);
  if (table === undefined) return;
  for (let index = 0; index < geometry.l2Entries; index++) giveBack(context, entries.read(table, index));
  tables.setEntry(l1Index, 0, false);
  allocator.give(table.at / geometry.clusterSize);
}
