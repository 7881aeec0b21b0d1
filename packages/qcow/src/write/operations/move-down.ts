import { DiskError } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { l2TableOffset, putL1Entry } from '../../layout/l1-entry.ts';
import type { SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { type Staging, stage } from '../metadata/staging.ts';

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 4096;

/** What truncating the file needs. */
export interface EndContext {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  /** The lengths of the snapshot table. The header says where it is. */
  readonly snapshots: Pick<SnapshotTable, 'length' | 'sureLength'>;
}

/** Metadata at the end of the file, after all data. */
interface Tail {
  /** Number of its first cluster. */
  readonly first: number;
  readonly clusters: number;
}

/**
 * Moves metadata from the end of the file into free clusters before it, so that the file can be truncated. Either all
 * of it moves, in one atomic change, or none.
 *
 * @param end number of the last cluster in use, plus one
 * @returns whether anything was moved
 */
export async function moveDown(context: EndContext, end: number): Promise<boolean> {
  const { state, guard } = context;
  const tail = await tailOf(context, end);
  if (tail.clusters === 0) return false;
  const { table } = state.refcounts;
  const { clusterSize } = state.image.geometry;
  // The refcount table and the blocks that change move with it.
  const needed = tail.clusters + table.placedBytes / clusterSize + 2;
  const newEnd = await endAfter(context, needed, end);
  if (newEnd === undefined || (end - Math.max(newEnd, tail.first)) * 8 < needed) return false;
  try {
    await stage(state, guard, (staging) => move(staging, context, tail.first));
    return true;
  } catch (error) {
    // The disk below is full: nothing moves.
    if (!(error instanceof DiskError) || error.code !== 'ERR_NO_SPACE') throw error;
    return false;
  }
}

/** The clusters from the end of the file down to the first one with data or with metadata that cannot move. */
async function tailOf({ state, guard }: EndContext, end: number): Promise<Tail> {
  const { refcounts, tables } = state;
  const { clusterSize } = state.image.geometry;
  const active = new Set<number>();
  for (let index = 0; index < tables.entries; index++) active.add(tables.tableOffset(index) / clusterSize);
  let clusters = 0;
  let cluster = end;
  for (; cluster > 1; cluster--) {
    const last = cluster - 1;
    const found = refcounts.get(last);
    const refcount = found instanceof Promise ? await found : found;
    if (refcount === 0 && !guard.has(last)) continue;
    const kind = guard.kindOf(last);
    const movable =
      kind === 'the L1 table' ||
      kind === 'the refcount table' ||
      kind === 'a refcount block' ||
      kind === 'the snapshot table' ||
      (kind === 'an L2 table' && active.has(last));
    if (!movable || refcount !== 1) break;
    clusters++;
    if (clusters % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
  }
  return { first: cluster, clusters };
}

/**
 * The end of the `count`-th free cluster, from the first freed one on; `undefined` when there are fewer before `end`.
 */
async function endAfter(
  { state, guard }: EndContext,
  count: number,
  end: number,
): Promise<number | undefined> {
  let left = count;
  for (let cluster = Math.max(1, state.allocator.firstFreed); cluster < end; cluster++) {
    if (cluster % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const found = state.refcounts.get(cluster);
    if ((found instanceof Promise ? await found : found) !== 0 || guard.has(cluster)) continue;
    if (--left === 0) return cluster + 1;
  }
  return undefined;
}

async function move(staging: Staging, { state, snapshots }: EndContext, first: number): Promise<void> {
  const { tables, refcounts, file } = state;
  const { geometry, header } = state.image;
  const { clusterSize } = geometry;
  const isHigh = (at: number): boolean => at >= first * clusterSize;
  const { view, at: oldL1 } = tables.l1;
  const l1 = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  const own = new DataView(l1.buffer);
  let changed = false;
  state.allocator.lookFromFreed();
  for (let index = 0; index < tables.entries; index++) {
    const at = l2TableOffset(own.getUint32(index * 8), own.getUint32(index * 8 + 4));
    if (at === 0 || !isHigh(at)) continue;
    const bytes = await readStructure(file.disk, { what: 'an L2 table', at, length: clusterSize }, {});
    putL1Entry(own, index, await staging.write('an L2 table', bytes), true);
    await staging.drop(at / clusterSize);
    tables.l2.forget(at);
    changed = true;
  }
  let l1TableOffset = oldL1;
  if (l1.length > 0 && (changed || isHigh(oldL1))) {
    l1TableOffset = await staging.write('the L1 table', l1);
    await staging.drop(oldL1 / clusterSize, Math.ceil((header.l1Size * 8) / clusterSize));
  }
  let { snapshotsOffset } = header;
  if (snapshots.length > 0 && isHigh(snapshotsOffset)) {
    const old = snapshotsOffset;
    const place = { what: 'a snapshot table', at: old, length: snapshots.length };
    snapshotsOffset = await staging.write('the snapshot table', await readStructure(file.disk, place, {}));
    await staging.drop(old / clusterSize, Math.ceil(snapshots.sureLength / clusterSize));
  }
  for (let index = 0; index < refcounts.tableEntries; index++) {
    if (!isHigh(refcounts.blockOffset(index))) continue;
    const found = refcounts.block(index);
    const block = found instanceof Promise ? await found : found;
    if (block !== undefined) refcounts.blocks.mark(block, 0, 1); // a changed block gets a new place
  }
  state.allocator.lookFromFreed(); // a long table may have skipped small gaps
  await staging.switch({ l1TableOffset, snapshotsOffset });
  tables.replaceL1(own, l1TableOffset);
}
