import { breathe } from '@diskstack/core/format';
import { snapshotSize } from '../../image/disk-state.ts';
import { readStructure } from '../../image/structure.ts';
import { l2TableOffset } from '../../layout/l1-entry.ts';
import type { Snapshot } from '../../layout/snapshot.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import { type ClusterEntry, NO_CLUSTER } from '../metadata/cluster-entries.ts';
import { type SnapshotContext, snapshotL1 } from '../snapshots/snapshot-tables.ts';

/**
 * Records the guest bytes that may change when a snapshot is applied: those whose L2 entries differ. Equal entries name
 * the same cluster, which no write has changed since the snapshot.
 */
export async function recordApplied(
  context: SnapshotContext,
  snapshot: Snapshot,
  record: (offset: number, length: number) => void,
): Promise<void> {
  const { state, entries } = context;
  const { header, geometry } = state.image;
  const { clusterSize, l2Coverage, l2Entries } = geometry;
  const size = snapshotSize(snapshot, header.size);
  if (size > header.size) record(header.size, size - header.size);
  const end = Math.min(size, header.size);
  const saved = await snapshotL1(context, snapshot);
  for (let l1Index = 0; l1Index * l2Coverage < end; l1Index++) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    const at = l1Index * 8 < saved.byteLength ? tableAt(saved, l1Index) : 0;
    if (at === state.tables.tableOffset(l1Index)) continue;
    const before = await state.tables.table(l1Index);
    const after = at === 0 ? undefined : await readTable(context, at);
    for (let index = 0; index < l2Entries; index++) {
      const offset = l1Index * l2Coverage + index * clusterSize;
      if (offset >= end) break;
      const old = before === undefined ? NO_CLUSTER : entries.read(before, index);
      const applied = after === undefined ? NO_CLUSTER : entries.read(after, index);
      if (!isSame(old, applied)) record(offset, Math.min(clusterSize, end - offset));
    }
  }
}

function tableAt(view: DataView, index: number): number {
  return l2TableOffset(view.getUint32(index * 8), view.getUint32(index * 8 + 4));
}

async function readTable({ state }: SnapshotContext, at: number): Promise<L2Table> {
  const place = { what: 'an L2 table', at, length: state.image.geometry.l2TableBytes };
  const bytes = await readStructure(state.file.disk, place, {});
  return { view: new DataView(bytes.buffer), at };
}

function isSame(a: ClusterEntry, b: ClusterEntry): boolean {
  return (
    a.host === b.host &&
    a.allocated === b.allocated &&
    a.zeroes === b.zeroes &&
    a.compressed?.at === b.compressed?.at &&
    a.compressed?.stored === b.compressed?.stored
  );
}
