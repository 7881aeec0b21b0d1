import { DiskError, type WorkIo } from '@diskstack/core';
import { breathe, limitError } from '@diskstack/core/format';
import { snapshotSize } from '../../image/disk-state.ts';
import { has } from '../../image/image.ts';
import { l1EntriesFor } from '../../layout/geometry.ts';
import { encodeSnapshot } from '../../layout/snapshot.ts';
import { findSnapshot, type SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import { hostsOf } from '../metadata/cluster-entries.ts';
import { type Staging, stage } from '../metadata/staging.ts';
import { incompleteSnapshots, joined, snapshotTableBytes } from './complete-snapshots.ts';
import { L1Copy } from './l1-copy.ts';
import { eachTable, type SnapshotContext, snapshotL1 } from './snapshot-tables.ts';

/** Entries handled before the loop yields to the event loop, if that is due. */
const BREATH = 256;

/** Takes a snapshot of the active state. qcow2 spec, "Snapshots". */
export async function createSnapshot(context: SnapshotContext, name: string, io: WorkIo): Promise<void> {
  const { state, guard, table } = context;
  checkName(context, name);
  await stage(state, guard, async (staging) => {
    const { header } = state.image;
    const { l1 } = state.tables;
    const own = new L1Copy(l1.view);
    await eachTable(context, l1.view, io, async (index, l2) => {
      await referAll(staging, context, l2, true);
      // The snapshot keeps the old L1 table. The active state gets a copy, in which everything is shared.
      await own.share(staging, context, index, l2);
    });
    const length = header.l1Size * 8;
    const at = length === 0 ? header.l1TableOffset : await staging.write('the L1 table', own.bytes);
    const now = Date.now();
    const entry = encodeSnapshot({
      id: nextId(table),
      name,
      l1TableOffset: header.l1TableOffset,
      l1Size: header.l1Size,
      diskSize: header.size,
      dateSec: Math.floor(now / 1000),
      dateNsec: (now % 1000) * 1_000_000,
    });
    const old = await snapshotTableBytes(state, table);
    const snapshotsOffset = await staging.write('the snapshot table', joined([old, entry]));
    await dropBytes(staging, table.at, table.sureLength);
    await staging.switch({ l1TableOffset: at, snapshotsOffset, nbSnapshots: table.snapshots.length + 1 });
    if (length > 0) guard.rename('the L1 table of a snapshot', header.l1TableOffset, length);
    state.tables.replaceL1(own.view, at);
  });
}

/** Makes the state of a snapshot the active state. */
export async function applySnapshot(context: SnapshotContext, idOrName: string, io: WorkIo): Promise<void> {
  const { state, guard, table } = context;
  const snapshot = findSnapshot(table.snapshots, idOrName);
  await stage(state, guard, async (staging) => {
    const { header, geometry } = state.image;
    const size = snapshotSize(snapshot, header.size);
    const saved = await snapshotL1(context, snapshot);
    const own = new L1Copy(saved, Math.max(snapshot.l1Size, l1EntriesFor(size, geometry)));
    await eachTable(context, saved, io, async (index, l2) => {
      await referAll(staging, context, l2, true);
      await own.share(staging, context, index, l2);
    });
    const { l1 } = state.tables;
    const old = { view: l1.view, at: l1.at };
    const at = own.bytes.length === 0 ? 0 : await staging.write('the L1 table', own.bytes);
    await dropState(staging, context, old.view, old.at, io);
    const tableAt = await completeTable(staging, context);
    await staging.switch({ ...tableAt, size, l1Size: own.bytes.length / 8, l1TableOffset: at });
    state.tables.replaceL1(own.view, at);
  });
}

/** Rewrites the snapshot table when entries lack their size: it is the current size, which is about to change. */
async function completeTable(
  staging: Staging,
  { state, table }: SnapshotContext,
): Promise<{ readonly snapshotsOffset?: number }> {
  if (incompleteSnapshots(table, state.image).length === 0) return {};
  const bytes = await snapshotTableBytes(state, table);
  const snapshotsOffset = await staging.write('the snapshot table', bytes);
  await dropBytes(staging, table.at, table.sureLength);
  return { snapshotsOffset };
}

/** Deletes a snapshot, and frees what only it referred to. */
export async function deleteSnapshot(context: SnapshotContext, idOrName: string, io: WorkIo): Promise<void> {
  const { state, guard, table } = context;
  const snapshot = findSnapshot(table.snapshots, idOrName);
  await stage(state, guard, async (staging) => {
    const { header } = state.image;
    const saved = await snapshotL1(context, snapshot);
    await dropState(staging, context, saved, snapshot.l1TableOffset, io);
    const own = new L1Copy(state.tables.l1.view);
    const changed = await own.claimAll(staging, context, io);
    const old = { at: state.tables.l1.at, length: header.l1Size * 8 };
    let at = old.at;
    if (changed) {
      at = await staging.write('the L1 table', own.bytes);
      await dropBytes(staging, old.at, old.length);
    }
    const left = await snapshotTableBytes(state, table, snapshot);
    const snapshotsOffset = left.length === 0 ? 0 : await staging.write('the snapshot table', left);
    await dropBytes(staging, table.at, table.sureLength);
    await staging.switch({ l1TableOffset: at, snapshotsOffset, nbSnapshots: table.snapshots.length - 1 });
    if (changed) state.tables.replaceL1(own.view, at);
  });
}

function checkName({ state, table }: SnapshotContext, name: string): void {
  const { limits } = state.image;
  const length = new TextEncoder().encode(name).length;
  if (name === '' || length > limits.maxNameBytes) {
    throw new DiskError(
      'ERR_ARGUMENT',
      `a snapshot has a name of 1 to ${limits.maxNameBytes} bytes, not ${length}`,
    );
  }
  if (table.snapshots.some((other) => other.name === name || other.id === name)) {
    throw new DiskError('ERR_ARGUMENT', 'there is a snapshot of that name, or with that id, already');
  }
  if (table.snapshots.length >= limits.maxSnapshots)
    throw limitError('maxSnapshots', limits, `${table.snapshots.length + 1} snapshots`);
  if (has(state.image, 'externalDataFile')) {
    throw new DiskError('ERR_UNSUPPORTED', 'an image with an external data file has no internal snapshots');
  }
}

function nextId({ snapshots }: SnapshotTable): string {
  const ids = snapshots.map(({ id }) => (/^\d{1,15}$/.test(id) ? Number(id) : 0));
  return String(Math.max(0, ...ids) + 1);
}

async function dropBytes(staging: Staging, at: number, length: number): Promise<void> {
  if (length === 0) return;
  const { clusterSize } = staging.state.image.geometry;
  await staging.drop(Math.floor(at / clusterSize), Math.ceil(length / clusterSize));
}

/** Adds or removes one reference to everything that an L2 table names. */
async function referAll(
  staging: Staging,
  { entries, state }: SnapshotContext,
  table: L2Table,
  more: boolean,
): Promise<void> {
  const { clusterSize, l2Entries } = state.image.geometry;
  for (let index = 0; index < l2Entries; index++) {
    if (index % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const hosts = hostsOf(entries.read(table, index), clusterSize);
    if (hosts === undefined) continue;
    if (more) await staging.refer(hosts.cluster, hosts.count);
    else await staging.drop(hosts.cluster, hosts.count);
  }
}

/** Removes all references of a state: to its clusters, its L2 tables and its L1 table. */
async function dropState(
  staging: Staging,
  context: SnapshotContext,
  view: DataView,
  at: number,
  io: WorkIo,
): Promise<void> {
  const { clusterSize } = context.state.image.geometry;
  await eachTable(context, view, io, async (_index, table) => {
    await referAll(staging, context, table, false);
    await staging.drop(table.at / clusterSize);
  });
  await dropBytes(staging, at, view.byteLength);
}
