import { breathe, DiskError, throwIfAborted, type WorkIo } from '@diskstack/core';
import { snapshotSize } from '../../image/disk-state.ts';
import { has } from '../../image/image.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { l1EntriesFor } from '../../layout/geometry.ts';
import { l2TableOffset, putL1Entry } from '../../layout/l1-entry.ts';
import { encodeSnapshot, type Snapshot } from '../../layout/snapshot.ts';
import { snapshotL1Problem } from '../../snapshots/l1-bounds.ts';
import { findSnapshot, type SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import { type ClusterEntries, hostsOf } from '../metadata/cluster-entries.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { type Staging, stage } from '../metadata/staging.ts';
import { incompleteSnapshots, joined, snapshotTableBytes } from './complete-snapshots.ts';

/** Entries handled before the loop yields to the event loop, if that is due. */
const BREATH = 256;

/** What changes of snapshots need. */
export interface SnapshotContext {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  /** The stored snapshot table. */
  readonly table: SnapshotTable;
}

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
  if (table.snapshots.length >= limits.maxSnapshots) {
    throw new DiskError('ERR_LIMIT', `maxSnapshots allows ${limits.maxSnapshots} snapshots`);
  }
  if (has(state.image, 'externalDataFile')) {
    throw new DiskError('ERR_UNSUPPORTED', 'an image with an external data file has no internal snapshots');
  }
}

function nextId({ snapshots }: SnapshotTable): string {
  const ids = snapshots.map(({ id }) => (/^\d{1,15}$/.test(id) ? Number(id) : 0));
  return String(Math.max(0, ...ids) + 1);
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

async function dropBytes(staging: Staging, at: number, length: number): Promise<void> {
  if (length === 0) return;
  const { clusterSize } = staging.state.image.geometry;
  await staging.drop(Math.floor(at / clusterSize), Math.ceil(length / clusterSize));
}

/** Reads every L2 table that an L1 table names, and calls `work` with it. */
async function eachTable(
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

/** A copy of an L1 table that will be the active one. */
class L1Copy {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(like: DataView, entries: number = like.byteLength / 8) {
    this.bytes = new Uint8Array(entries * 8);
    this.bytes.set(new Uint8Array(like.buffer, like.byteOffset, like.byteLength));
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * Shares an L2 table with a snapshot. None of its entries may have COPIED set. A table with such entries is copied
   * for the active state, without these bits; any other is shared as it is.
   */
  async share(staging: Staging, context: SnapshotContext, index: number, table: L2Table): Promise<void> {
    const { entries, state } = context;
    const { clusterSize, l2Entries } = state.image.geometry;
    let claims = false;
    const copy = copyOf(table);
    for (let entry = 0; entry < l2Entries; entry++) {
      if (!entries.isCopied(table, entry)) continue;
      claims = true;
      entries.put(copy, entry, entries.read(table, entry), false);
    }
    if (claims) {
      const at = await staging.write('an L2 table', bytesOf(copy));
      putL1Entry(this.view, index, at, true);
    } else {
      await staging.refer(table.at / clusterSize);
      putL1Entry(this.view, index, table.at, false);
    }
  }

  /**
   * Sets COPIED, in copies of the L2 tables, for clusters that only the active state has now. Returns whether anything
   * changed.
   */
  async claimAll(staging: Staging, context: SnapshotContext, io: WorkIo): Promise<boolean> {
    const { entries, state } = context;
    const { clusterSize, l2Entries } = state.image.geometry;
    let changed = false;
    await eachTable(context, this.view, io, async (index, table) => {
      if ((await state.refcounts.get(table.at / clusterSize)) !== 1) return; // a shared table has only shared clusters
      const copy = copyOf(table);
      let claims = false;
      for (let entry = 0; entry < l2Entries; entry++) {
        const read = entries.read(table, entry);
        if (read.host === undefined || entries.isCopied(table, entry)) continue;
        if ((await state.refcounts.get(read.host / clusterSize)) !== 1) continue;
        entries.put(copy, entry, read, true);
        claims = true;
      }
      if (claims) {
        const at = await staging.write('an L2 table', bytesOf(copy));
        putL1Entry(this.view, index, at, true);
        await staging.drop(table.at / clusterSize);
        changed = true;
      } else if (!state.tables.isCopied(index)) {
        putL1Entry(this.view, index, table.at, true);
        changed = true;
      }
    });
    return changed;
  }
}

function copyOf({ view, at }: L2Table): L2Table {
  return {
    view: new DataView(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer),
    at,
  };
}

function bytesOf({ view }: L2Table): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
