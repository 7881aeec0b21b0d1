import type { PlacedPart, Placement } from '@diskstack/core/format';
import type { L2Table } from '../../tables/l2-tables.ts';
import { checkParts } from './check-parts.ts';
import { isOwned } from './cow-plan.ts';
import type { WriteContext } from './write-context.ts';

/** The placement of these bytes when every cluster of them can be overwritten; `undefined` when one cannot. */
export async function inPlace(
  context: WriteContext,
  offset: number,
  length: number,
): Promise<Placement | undefined> {
  await context.prepare();
  const { state, entries, external } = context;
  const { clusterSize, l2Coverage, l2Entries } = context.geometry;
  const parts: PlacedPart[] = [];
  let table: L2Table | undefined;
  let tableIndex = -1;
  for (let position = offset; position < offset + length; ) {
    const l1Index = Math.floor(position / l2Coverage);
    if (l1Index !== tableIndex) {
      const found = state.tables.table(l1Index);
      table = found instanceof Promise ? await found : found;
      tableIndex = l1Index;
    }
    if (table === undefined) return undefined;
    const inCluster = position % clusterSize;
    const end = Math.min(offset + length, position - inCluster + clusterSize);
    const { host, allocated, compressed } = entries.read(
      table,
      Math.floor(position / clusterSize) % l2Entries,
    );
    const touched = entries.mask(inCluster, inCluster + end - position);
    if (compressed !== undefined || host === undefined || (allocated & touched) >>> 0 !== touched)
      return undefined;
    const owned = external || isOwned(context, host);
    if (!(owned instanceof Promise ? await owned : owned)) return undefined;
    const last = parts.at(-1);
    const at = host + inCluster;
    if (last !== undefined && last.at + last.length === at) {
      parts[parts.length - 1] = { ...last, length: last.length + end - position };
    } else {
      parts.push({ offset: position, length: end - position, at, before: 0, after: 0 });
    }
    position = end;
  }
  await checkParts(context, parts);
  return { length, parts };
}
