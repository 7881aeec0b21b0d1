import type { WorkIo } from '@diskstack/core';
import { breathe, throwIfAborted } from '@diskstack/core/format';
import { eachCluster } from '../data/each-cluster.ts';
import { giveBack, putEntry } from '../data/entry-changes.ts';
import type { WriteContext } from '../data/write-context.ts';
import { NO_CLUSTER } from '../metadata/cluster-entries.ts';

/**
 * Replaces zero clusters, which version 2 does not have: by an unallocated cluster past the end of the base, by a
 * cluster of literal zeroes before it.
 */
export async function expandZeroClusters(context: WriteContext, io: WorkIo): Promise<void> {
  const { base, entries, geometry, state } = context;
  const { l2Coverage, clusterSize } = geometry;
  const { size } = state.image.header;
  const baseEnd = base?.size() ?? 0;
  const zeroes = new Uint8Array(clusterSize);
  for (let offset = 0; offset < size; offset += l2Coverage) {
    throwIfAborted(io.signal);
    const pause = breathe();
    if (pause !== undefined) await pause;
    if (!(await hasZeroCluster(context, offset))) continue;
    const end = Math.min(size, offset + l2Coverage);
    const covered: number[] = [];
    await eachCluster(context, { offset, end }, io, async (table, cluster) => {
      const old = entries.read(table, cluster.index);
      if (old.zeroes === 0) return;
      if (cluster.offset < baseEnd) {
        covered.push(cluster.offset);
        return;
      }
      putEntry(context, table, cluster.index, NO_CLUSTER);
      giveBack(context, old);
    });
    for (const at of covered) {
      throwIfAborted(io.signal);
      await context.write(at, zeroes.subarray(0, Math.min(clusterSize, size - at)), io);
    }
    io.onProgress?.({ done: end, total: size });
  }
}

/** Whether the L2 table that maps this offset has a zero cluster. */
async function hasZeroCluster({ entries, geometry, state }: WriteContext, offset: number): Promise<boolean> {
  const table = await state.tables.table(Math.floor(offset / geometry.l2Coverage));
  if (table === undefined) return false;
  for (let index = 0; index < geometry.l2Entries; index++) {
    if (entries.read(table, index).zeroes !== 0) return true;
  }
  return false;
}
