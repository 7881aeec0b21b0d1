import { DiskError, type WorkIo } from '@diskstack/core';
import { breathe, throwIfAborted } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { l2TableOffset } from '../../layout/l1-entry.ts';
import type { Snapshot } from '../../layout/snapshot.ts';
import { snapshotL1Problem } from '../../snapshots/l1-bounds.ts';
import type { SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { ClusterEntries } from '../metadata/cluster-entries.ts';
import type { ImageState } from '../metadata/image-state.ts';

/** What changes of snapshots need. */
export interface SnapshotContext {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  /** The stored snapshot table. */
  readonly table: SnapshotTable;
}

/** Reads the L1 table of a snapshot. `ERR_CORRUPT` when its entry is damaged. */
export async function snapshotL1(
  { state }: SnapshotContext,
  { l1TableOffset, l1Size, at }: Snapshot,
): Promise<DataView> {
  const problem = snapshotL1Problem({ l1TableOffset, l1Size }, state.image);
  if (problem !== undefined)
    throw new DiskError('ERR_CORRUPT', `the L1 table of the snapshot ${problem}`, { offset: at });
  const place = { what: 'an L1 table of a snapshot', at: l1TableOffset, length: l1Size * 8, fieldAt: at };
  const bytes = await readStructure(state.file.disk, place, {});
  return new DataView(bytes.buffer);
}

/** Reads every L2 table that an L1 table names, and calls `work` with it. */
export async function eachTable(
  { state }: SnapshotContext,
  view: DataView,
  { signal, onProgress }: WorkIo,
  work: (index: number, table: L2Table) => Promise<void>,
): Promise<void> {
  const { geometry } = state.image;
  const total = view.byteLength / 8;
  for (let index = 0; index < total; index++) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    throwIfAborted(signal);
    onProgress?.({ done: index, total });
    const at = l2TableOffset(view.getUint32(index * 8), view.getUint32(index * 8 + 4));
    if (at === 0) continue;
    const place = { what: 'an L2 table', at, length: geometry.l2TableBytes };
    const bytes = await readStructure(state.file.disk, place, {});
    await work(index, { view: new DataView(bytes.buffer), at });
  }
  onProgress?.({ done: total, total });
}

export function copyOf({ view, at }: L2Table): L2Table {
  return {
    view: new DataView(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer),
    at,
  };
}

export function bytesOf({ view }: L2Table): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
