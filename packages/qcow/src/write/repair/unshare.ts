import { DiskError, hex, type Io } from '@diskstack/core';
import { breathe, readFully, throwIfAborted } from '@diskstack/core/format';
import type { ReferenceCounts } from '../../check/reference-counts.ts';
import { has } from '../../image/image.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { L2Entry, NO_HOST } from '../../layout/decoded-l2-entry.ts';
import { l2TableOffset, putL1Entry } from '../../layout/l1-entry.ts';
import {
  compressedBytes,
  compressedOffsetLimit,
  isCompressed,
  putCompressedEntry,
  putStandardEntry,
} from '../../layout/l2-entry.ts';
import { compressedRun } from '../metadata/cluster-entries.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { type RawTable, RawTables, reloadTables } from './raw-tables.ts';

/** An entry that gets its own copy of what it names. */
interface Move {
  readonly table: RawTable;
  readonly position: number;
  /** First byte of what it names. */
  readonly at: number;
  readonly length: number;
}

/**
 * Entries that share clusters more often than a refcount of this image can count. Each gets its own copy, so that a
 * later write to one does not change the others.
 */
export interface Unsharing {
  /** Excess references of all clusters. */
  readonly references: number;
  readonly moves: readonly Move[];
}

/** Clusters with more references than a refcount can count, and the number of excess references. */
export async function overflows(counts: ReferenceCounts, max: number): Promise<Map<number, number>> {
  const excess = new Map<number, number>();
  let looked = 0;
  for (const cluster of counts.referenced()) {
    if (looked++ % 4096 === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const references = counts.get(cluster);
    if (references > max) excess.set(cluster, references - max);
  }
  return excess;
}

/**
 * Finds the entries that can get a copy. L2 tables come first, because every reference to an L2 table multiplies what
 * it names. Throws, before any change, when copies cannot remove all excess references.
 */
export async function planUnsharing(
  state: ImageState,
  excess: Map<number, number>,
  io: Io,
): Promise<Unsharing> {
  let references = 0;
  for (const more of excess.values()) references += more;
  const visits = new Map<number, number>();
  const moves = await tableMoves(state, excess, visits, io);
  if (moves.length === 0) {
    await clusterMoves(state, excess, visits, moves, io);
    for (const [cluster, more] of excess) if (more > 0) throw cannotUnshare(state, cluster);
  }
  const bytes = moves.reduce((sum, { length }) => sum + length, 0);
  const most = Math.max(64 * 1024 * 1024, state.file.disk.size());
  if (bytes > most) {
    throw new DiskError(
      'ERR_LIMIT',
      `${references} references exceed what refcounts can count, and copies for them need ${bytes} bytes, ${most} are allowed; convert what can be read into a new image`,
    );
  }
  return { references, moves };
}

function cannotUnshare({ image, refcounts }: ImageState, cluster: number): DiskError {
  const { clusterSize } = image.geometry;
  return new DiskError(
    'ERR_UNSUPPORTED',
    `cluster ${cluster} has more references than its refcount can count (at most ${refcounts.max}), and not all of them are data; convert what can be read into a new image`,
    { offset: cluster * clusterSize },
  );
}

/** Moves for L1 entries. Also counts how often each L2 table is named. */
async function tableMoves(
  state: ImageState,
  excess: Map<number, number>,
  visits: Map<number, number>,
  io: Io,
): Promise<Move[]> {
  const { clusterSize } = state.image.geometry;
  const moves: Move[] = [];
  for await (const table of new RawTables(state).l1Tables(io)) {
    for (let position = 0; position < table.view.byteLength; position += 8) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      const at = l2TableOffset(table.view.getUint32(position), table.view.getUint32(position + 4));
      if (at === 0) continue;
      const before = visits.get(at) ?? 0;
      visits.set(at, before + 1);
      const more = excess.get(at / clusterSize) ?? 0;
      if (more <= 0 || before === 0) continue; // the first reference keeps the table
      excess.set(at / clusterSize, more - 1);
      moves.push({ table, position, at, length: clusterSize });
    }
  }
  return moves;
}

/** Moves for L2 entries. */
async function clusterMoves(
  state: ImageState,
  excess: Map<number, number>,
  visits: ReadonlyMap<number, number>,
  moves: Move[],
  io: Io,
): Promise<void> {
  const { image } = state;
  if (has(image, 'externalDataFile')) return;
  const { geometry } = image;
  const { clusterSize, l2EntryBytes } = geometry;
  const extended = has(image, 'extendedL2');
  const shape = { geometry, version: image.header.version, extended, external: false };
  const entry = new L2Entry();
  for await (const table of new RawTables(state).l2Tables(io)) {
    const times = visits.get(table.at) ?? 1;
    let isKept = false;
    for (let position = 0; position < table.view.byteLength; position += l2EntryBytes) {
      entry.decode(table.view, position, shape);
      if (entry.host === NO_HOST) continue;
      const place = { at: entry.host, stored: entry.stored === 0 ? clusterSize : entry.stored };
      const { cluster, count } = compressedRun(place, clusterSize);
      const touched = Array.from({ length: count }, (_, index) => cluster + index);
      if (!touched.some((number) => (excess.get(number) ?? 0) > 0)) continue;
      for (const number of touched) {
        const more = excess.get(number);
        if (more !== undefined) excess.set(number, more - times);
      }
      moves.push({ table, position, at: place.at, length: place.stored });
      isKept = true;
    }
    if (!isKept) continue;
    if (times > state.refcounts.max) throw cannotUnshare(state, table.at / clusterSize);
  }
}

/**
 * Makes the copies and points the entries to them. All refcounts must be right, except those with too many references.
 */
export async function unshareClusters(
  state: ImageState,
  guard: OverlapGuard,
  { moves }: Unsharing,
  io: Io,
): Promise<void> {
  const places: number[] = [];
  for (const move of moves) {
    throwIfAborted(io.signal);
    places.push(await copyOf(state, guard, move));
  }
  // The copies must be counted and stored before anything names them.
  await flushMetadata(state);
  await state.file.barrier();
  const tables = new Set<RawTable>();
  for (const [index, { table, position }] of moves.entries()) {
    const at = places[index] as number;
    if (table.kind === 'an L2 table') putPlace(state, table, position, at);
    else {
      const entry = new DataView(new ArrayBuffer(8));
      putL1Entry(entry, 0, at, table.kind === 'the L1 table');
      table.put(position, entry.getUint32(0), entry.getUint32(4));
    }
    tables.add(table);
  }
  for (const table of tables) await table.save();
  await state.file.barrier();
  await reloadTables(state);
}

async function copyOf(
  { allocator, file, image }: ImageState,
  guard: OverlapGuard,
  { table, at, length }: Move,
): Promise<number> {
  const { clusterSize } = image.geometry;
  const clusters = Math.ceil(length / clusterSize);
  const place = (await allocator.mutex.run(() => allocator.take(clusters))) * clusterSize;
  const bytes = new Uint8Array(clusters * clusterSize);
  const there = Math.min(length, file.disk.size() - at);
  await readFully(file.disk, at, bytes.subarray(0, there));
  if (table.kind === 'an L2 table') {
    await file.writeData(place, bytes, {});
  } else {
    guard.claim('an L2 table', place, clusterSize);
    await file.writeMetadata('an L2 table', place, bytes);
  }
  return place;
}

function putPlace({ image }: ImageState, table: RawTable, position: number, at: number): void {
  const { clusterBits } = image.geometry;
  const hi = table.view.getUint32(position);
  const lo = table.view.getUint32(position + 4);
  const entry = new DataView(new ArrayBuffer(8));
  if (isCompressed(hi)) {
    if (at >= compressedOffsetLimit(clusterBits))
      throw new DiskError('ERR_UNSUPPORTED', `no compressed cluster can be at byte ${hex(at)}`);
    putCompressedEntry(entry, 0, at, compressedBytes(hi, lo, clusterBits), clusterBits);
  } else {
    putStandardEntry(entry, 0, at, { copied: true, zero: (lo & 1) !== 0 });
  }
  table.put(position, entry.getUint32(0), entry.getUint32(4));
}
