import { type Io, roundUp } from '@diskstack/core';
import { NO_CLUSTER } from './cluster-entries.ts';
import { eachCluster } from './each-cluster.ts';
import { giveBack, putEntry } from './entry-changes.ts';
import type { WriteContext } from './write-context.ts';

/** Qemu's rule: what had a place reads as zeroes afterwards, also where a base would show. */
export async function discard(context: WriteContext, offset: number, length: number, io: Io): Promise<void> {
  const { entries, written, base, rawData } = context;
  if (rawData) return;
  const { version } = written.image.header;
  if (version < 3 && base !== undefined && base.size() > offset) return;
  await eachCluster(context, offset, offset + length, io, async (table, { index }) => {
    const old = entries.read(table, index);
    const hasPlace = old.host !== undefined || old.compressed !== undefined;
    if (!hasPlace) return;
    putEntry(context, table, index, { ...NO_CLUSTER, zeroes: version < 3 ? 0 : entries.all });
    giveBack(context, old);
  });
}

/** Drops the clusters that are past the end of a disk that has become shorter. */
export async function forget(context: WriteContext, from: number, to: number, io: Io): Promise<void> {
  const { entries, geometry } = context;
  await eachCluster(context, roundUp(from, geometry.clusterSize), to, io, async (table, { index }) => {
    const old = entries.read(table, index);
    putEntry(context, table, index, NO_CLUSTER);
    giveBack(context, old);
  });
}
