import type { Io } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { WriteContext } from './write-context.ts';

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 256;

/** Bytes of one cluster. `offset` is its first guest byte; `from` and `to` are relative to it. */
export interface ClusterRange {
  /** Index of its entry. */
  readonly index: number;
  readonly offset: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Calls `work` for each cluster of a range, with an L2 table that may be changed. Clusters without an L2 table are
 * skipped, except for guest bytes before `newBefore`: these get a table.
 */
export async function eachCluster(
  context: WriteContext,
  range: { readonly offset: number; readonly end: number; readonly newBefore?: number },
  io: Io,
  work: (table: L2Table, cluster: ClusterRange) => Promise<void>,
): Promise<void> {
  const { tables } = context.state;
  const { l2Coverage } = context.geometry;
  const { offset, end, newBefore = 0 } = range;
  for (let position = offset; position < end; ) {
    const l1Index = Math.floor(position / l2Coverage);
    const tableEnd = Math.min(end, (l1Index + 1) * l2Coverage);
    const pause = breathe();
    if (pause !== undefined) await pause;
    if (tables.tableOffset(l1Index) !== 0 || position < newBefore) {
      await context.ready(io);
      const table = await tables.writable(l1Index);
      try {
        for (const cluster of clustersOf(context, position, tableEnd)) {
          if (cluster.index % BREATH === 0) {
            const pause = breathe();
            if (pause !== undefined) await pause;
          }
          await work(table, cluster);
        }
      } finally {
        tables.l2.release(table);
      }
    }
    position = tableEnd;
  }
}

/** The clusters of a range that one L2 table maps. */
function* clustersOf({ geometry, state }: WriteContext, offset: number, end: number): Iterable<ClusterRange> {
  const { clusterSize, l2Entries } = geometry;
  for (let position = offset; position < end; ) {
    const number = Math.floor(position / clusterSize);
    const start = number * clusterSize;
    const stop = Math.min(end, start + clusterSize);
    // The last cluster of the disk counts as whole.
    const to = stop === state.image.header.size ? clusterSize : stop - start;
    yield { index: number % l2Entries, offset: start, from: position - start, to };
    position = stop;
  }
}
