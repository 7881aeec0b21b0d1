import type { ZeroesIo } from '@diskstack/core';
import type { L2Table } from '../../tables/l2-tables.ts';
import { isOwned } from './cow-plan.ts';
import { type ClusterRange, eachCluster } from './each-cluster.ts';
import { giveBack, putEntry } from './entry-changes.ts';
import type { WriteContext } from './write-context.ts';

/** Makes whole units read as zeroes by changing their entries. False when only literal zeroes can do that. */
export async function zero(
  context: WriteContext,
  offset: number,
  length: number,
  io: ZeroesIo,
): Promise<boolean> {
  const { state, base, rawData } = context;
  if (rawData) return false; // the raw file itself must hold the zeroes
  const end = offset + length;
  // Guest bytes before this one need a zero entry: otherwise the base shows, or may show later.
  const newBefore = io.explicit ? end : (base?.size() ?? 0);
  if (state.image.header.version < 3 && (newBefore > offset || !io.unmap)) return false;
  await eachCluster(context, { offset, end, newBefore }, io, (table, cluster) =>
    zeroCluster(context, table, cluster, newBefore, io),
  );
  return true;
}

/** Whole units of one cluster. */
async function zeroCluster(
  context: WriteContext,
  table: L2Table,
  cluster: ClusterRange,
  newBefore: number,
  io: ZeroesIo,
): Promise<void> {
  const { entries, state, external } = context;
  const { index, offset, from, to } = cluster;
  const old = entries.read(table, index);
  const touched = entries.mask(from, to);
  const hasPlace = old.host !== undefined || old.compressed !== undefined;
  if (!hasPlace && old.zeroes === 0 && newBefore <= offset + from) return;
  if (touched !== entries.all) {
    if (old.compressed !== undefined)
      return await context.write(offset + from, new Uint8Array(to - from), io);
    const allocated = (old.allocated & ~touched) >>> 0;
    const zeroes = (old.zeroes | touched) >>> 0;
    const isOwn = old.host !== undefined && (external || (await isOwned(context, old.host)));
    putEntry(context, table, index, { host: old.host, allocated, zeroes }, isOwn);
    return;
  }
  const isOwn = old.host !== undefined && !external && (await isOwned(context, old.host));
  const keeps = isOwn && !io.unmap;
  const zeroes = state.image.header.version < 3 ? 0 : entries.all;
  putEntry(context, table, index, { host: keeps ? old.host : undefined, allocated: 0, zeroes });
  if (!keeps) giveBack(context, old);
}
