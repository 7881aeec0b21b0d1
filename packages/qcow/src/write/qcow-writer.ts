import {
  type BackingName,
  type BitmapStore,
  type Compress,
  DiskError,
  type DiskModule,
  type Io,
  type MappingWriter,
  type PlacedPart,
  type Placement,
  type RepairOptions,
  type RepairReport,
  type ResizeIo,
  roundUp,
  type SnapshotInfo,
  type SnapshotStore,
  untilAborted,
  type WriteEngine,
} from '@diskstack/core';
import { readBitmapsIfSound } from '../bitmaps.ts';
import { snapshotInfos } from '../describe-header.ts';
import { has, type QcowImage } from '../image.ts';
import type { L2Table } from '../l2-tables.ts';
import type { Bitmap } from '../layout/bitmap.ts';
import { AUTOCLEAR } from '../layout/feature-bits.ts';
import { compressedOffsetLimit } from '../layout/l2-entry.ts';
import { readSnapshots, type SnapshotTable } from '../snapshots.ts';
import type { Run, TakenRun } from './allocator.ts';
import { changeBackingName } from './backing-name.ts';
import { addBitmap, type BitmapContext, clearBitmap, removeBitmap, setBitmapAuto } from './bitmap-changes.ts';
import { markBitmapsInUse } from './bitmap-marks.ts';
import { type ClusterEntries, type ClusterEntry, NO_CLUSTER } from './cluster-entries.ts';
import { commit, type WrittenImage } from './commit.ts';
import {
  type ClusterPlan,
  isOwned,
  type PlacedCluster,
  type PlanContext,
  partsOf,
  placeClusters,
  planClusters,
} from './cow-plan.ts';
import { writeHeaderFields } from './header-fields.ts';
import { Mutex } from './mutex.ts';
import type { OverlapGuard } from './overlap-guard.ts';
import { repairImage } from './repair.ts';
import { resizeImage } from './resize.ts';
import { applySnapshot, createSnapshot, deleteSnapshot, type SnapshotContext } from './snapshot-changes.ts';
import { trimImage } from './trim.ts';

/** Bytes of zeroes that are written at a time. */
const ZERO_PIECE = 1024 * 1024;
/** Bytes of changed tables that are held in memory; then they are written. */
const MOST_DIRTY = 16 * 1024 * 1024;

export interface QcowWriterParts {
  readonly written: WrittenImage;
  readonly snapshots: SnapshotTable;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  readonly base: DiskModule | undefined;
  readonly encrypted: boolean;
  /** The external data file is to be what the guest sees, byte for byte. */
  readonly rawData: boolean;
  readonly compress: Compress | undefined;
}

/** The write side of an image of version 2 or 3. */
export class QcowWriter implements MappingWriter {
  readonly unit: number;
  readonly zeroUnit: number;
  readonly #parts: QcowWriterParts;
  readonly #plan: PlanContext;
  readonly #commits = new Mutex();
  /** A commit that has not begun: whoever asks meanwhile shares it. */
  #nextCommit: Promise<void> | undefined;
  #prepared: Promise<void> | undefined;
  #engine: WriteEngine | undefined;
  #snapshotTable: SnapshotTable;
  #bitmaps: readonly Bitmap[] | undefined;
  /** Bitmaps have been changed. */
  #staged = false;
  /** Writes are made by `resize`, which is in the row of commits itself. */
  #resizing = false;

  constructor(parts: QcowWriterParts) {
    const { written, entries, base } = parts;
    const { geometry } = written.image;
    this.#parts = parts;
    this.#snapshotTable = parts.snapshots;
    this.unit = geometry.clusterSize;
    this.zeroUnit = entries.unitSize;
    this.#plan = {
      geometry,
      entries,
      external: written.file.dataFile !== undefined,
      base,
      refcount: (cluster) => written.refcounts.get(cluster),
    };
  }

  /** The image as it is now. */
  get image(): QcowImage {
    return this.#parts.written.image;
  }

  attach(engine: WriteEngine): void {
    this.#engine = engine;
    const { written } = this.#parts;
    written.readsOver = () => engine.readsOver();
    written.forgetCompressed = () => engine.forgetCompressed();
  }

  /** Everything in memory is in the image. Calls share a commit, which no single signal ends. */
  flush(io: Io): Promise<void> {
    this.#nextCommit ??= this.#commits.run(() => {
      this.#nextCommit = undefined;
      return commit(this.#parts.written);
    });
    return untilAborted(this.#nextCommit, io.signal);
  }

  /** Before the first change: bits that say of features which we do not keep up that they are kept up. */
  #prepare(): Promise<void> {
    this.#prepared ??= this.#prepareNow().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #prepareNow(): Promise<void> {
    const { written, entries } = this.#parts;
    // The refcounts of an image that was not closed cleanly may be too low: nothing can be allocated by them.
    if (has(written.image, 'dirty')) {
      await this.#commits.run(() => repairImage(written, entries, { fix: 'all' }));
    }
    await this.#clearAutoclear();
  }

  async repair(options: RepairOptions): Promise<RepairReport> {
    return await this.#commits.run(() => repairImage(this.#parts.written, this.#parts.entries, options));
  }

  /** Nothing is written to an image that is marked corrupt, until it is repaired. */
  get refusal(): DiskError | undefined {
    const { broken } = this.#parts.written;
    if (broken !== undefined) return broken;
    if (!has(this.image, 'corrupt')) return undefined;
    return new DiskError(
      'ERR_READ_ONLY',
      'the image is marked corrupt, and is not written before it is repaired',
    );
  }

  /** qcow2 spec, "autoclear_features": what a writer does not know it clears before it writes. */
  async #clearAutoclear(): Promise<void> {
    const { written } = this.#parts;
    const { version, autoclearFeatures } = written.image.header;
    const kept = autoclearFeatures & (AUTOCLEAR.rawExternalData | AUTOCLEAR.bitmaps);
    if ((kept & AUTOCLEAR.bitmaps) !== 0n) {
      await markBitmapsInUse(written.image, written.file, {});
      await written.file.barrier();
    }
    if (version < 3 || kept === autoclearFeatures) return;
    written.image = await writeHeaderFields(written.file, written.image, { autoclearFeatures: kept });
    await written.file.barrier();
  }

  /** The snapshot table as it is now. */
  get snapshotTable(): SnapshotTable {
    return this.#snapshotTable;
  }

  get snapshots(): SnapshotStore {
    const list = (): readonly SnapshotInfo[] => snapshotInfos(this.#snapshotTable, this.image.header.size);
    return {
      list,
      create: async (name, io = {}) => {
        await this.#changeSnapshots((context) => createSnapshot(context, name, io));
        return list().at(-1) as SnapshotInfo; // a new one is the last of the table
      },
      apply: (idOrName, io = {}) => this.#changeSnapshots((context) => applySnapshot(context, idOrName, io)),
      delete: (idOrName, io = {}) =>
        this.#changeSnapshots((context) => deleteSnapshot(context, idOrName, io)),
    };
  }

  /** The bitmaps as they are now; `undefined` while nothing has changed them. */
  get bitmaps(): readonly Bitmap[] | undefined {
    return this.#bitmaps;
  }

  /** Version 3 has them. */
  get bitmapStore(): BitmapStore | undefined {
    if (this.image.header.version < 3) return undefined;
    return {
      add: (bitmap) => this.#changeBitmaps((context) => addBitmap(context, bitmap)),
      remove: (name) => this.#changeBitmaps((context) => removeBitmap(context, name)),
      clear: (name) => this.#changeBitmaps((context) => clearBitmap(context, name)),
      setAuto: (name, auto) => this.#changeBitmaps((context) => setBitmapAuto(context, name, auto)),
    };
  }

  async #changeBitmaps(change: (context: BitmapContext) => Promise<void>): Promise<void> {
    const { written, guard, entries } = this.#parts;
    await this.#commits.run(async () => {
      if (has(written.image, 'dirty')) await repairImage(written, entries, { fix: 'all' });
      this.#staged = true;
      // The next write of data has to tell the bitmaps of it again.
      this.#prepared = undefined;
      await change({ written, guard });
      this.#bitmaps = (await readBitmapsIfSound(this.image, {})).bitmaps;
    });
  }

  async #changeSnapshots(change: (context: SnapshotContext) => Promise<void>): Promise<void> {
    await this.#prepare();
    const { written, guard, entries } = this.#parts;
    await this.#commits.run(async () => {
      try {
        await change({ written, guard, entries, table: this.#snapshotTable });
      } finally {
        const { file, header, limits } = written.image;
        this.#snapshotTable = await readSnapshots(file, header, limits, {});
      }
      await commit(written);
    });
  }

  async #ready(io: Io): Promise<void> {
    await this.#prepare();
    const { tables, refcounts } = this.#parts.written;
    if (tables.l2.bytes + refcounts.blocks.bytes <= MOST_DIRTY) return;
    await (this.#resizing ? commit(this.#parts.written) : this.flush(io));
  }

  async inPlace(offset: number, length: number): Promise<Placement | undefined> {
    await this.#prepare();
    const { written, entries, guard } = this.#parts;
    const { clusterSize, l2Coverage, l2Entries } = written.image.geometry;
    const { external } = this.#plan;
    const parts: PlacedPart[] = [];
    let table: L2Table | undefined;
    let tableIndex = -1;
    for (let position = offset; position < offset + length; ) {
      const l1Index = Math.floor(position / l2Coverage);
      if (l1Index !== tableIndex) {
        const found = written.tables.table(l1Index);
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
      if (!external && !(await isOwned(this.#plan, host))) return undefined;
      const last = parts.at(-1);
      const at = host + inCluster;
      if (last !== undefined && last.at + last.length === at) {
        parts[parts.length - 1] = { ...last, length: last.length + end - position };
      } else {
        parts.push({ offset: position, length: end - position, at, before: 0, after: 0 });
      }
      position = end;
    }
    await this.#checkParts(parts, guard);
    return { length, parts };
  }

  /** The file is long enough for the parts, and no metadata is where they are. */
  async #checkParts(parts: readonly PlacedPart[], guard: OverlapGuard): Promise<void> {
    const { file } = this.#parts.written;
    let end = 0;
    for (const { at, length, before, after } of parts) {
      if (!this.#plan.external) guard.checkData(at - before, before + length + after);
      end = Math.max(end, at + length + after);
    }
    await file.reachData(end);
  }

  async place(offset: number, length: number, io: Io): Promise<Placement> {
    await this.#ready(io);
    const { written, guard, encrypted } = this.#parts;
    const { l2Coverage } = written.image.geometry;
    const l1Index = Math.floor(offset / l2Coverage);
    const end = Math.min(offset + length, (l1Index + 1) * l2Coverage);
    const table = await written.tables.writable(l1Index);
    let runs: readonly TakenRun[] = [];
    try {
      const plans = await planClusters(this.#plan, table, offset, end);
      const needed = plans.reduce((count, { isNew }) => count + (isNew ? 1 : 0), 0);
      runs = this.#plan.external ? this.#ownPlaces(plans) : await written.allocator.allocate(needed);
      const clusters = placeClusters(this.#plan, plans, runs);
      const parts = partsOf(this.#plan, clusters, encrypted);
      await this.#checkParts(parts, guard);
      return {
        length: end - offset,
        parts,
        commit: () => this.#link(table, clusters),
        abandon: () => this.#abandon(table, runs),
      };
    } catch (error) {
      this.#abandon(table, runs);
      throw error;
    }
  }

  /** qcow2 spec, "External data file bit": a guest cluster is at its own offset there. */
  #ownPlaces(plans: readonly ClusterPlan[]): readonly TakenRun[] {
    const { written } = this.#parts;
    const { clusterSize } = written.image.geometry;
    const end = written.file.dataFile?.size() ?? 0;
    return plans
      .filter(({ isNew }) => isNew)
      .map(({ from }) => {
        const cluster = Math.floor(from / clusterSize);
        return { cluster, count: 1, isFresh: cluster * clusterSize >= end };
      });
  }

  #abandon(table: L2Table, runs: readonly Run[]): void {
    const { tables, allocator } = this.#parts.written;
    tables.l2.release(table);
    if (this.#plan.external) return;
    for (const run of runs) allocator.untake(run).catch(() => {}); // a leak at worst; the write has its own error
  }

  /** The bytes are there: the entries name them, and what they named before is given back. */
  #link(table: L2Table, clusters: readonly PlacedCluster[]): void {
    const { tables } = this.#parts.written;
    const { entries } = this.#parts;
    const { clusterSize } = this.#plan.geometry;
    for (const { index, from, to, old, isNew, whole, host } of clusters) {
      const inCluster = from % clusterSize;
      const touched = whole ? entries.all : entries.mask(inCluster, inCluster + to - from);
      const allocated = ((whole ? 0 : old.allocated) | touched) >>> 0;
      const zeroes = (old.zeroes & ~touched) >>> 0;
      if (allocated !== old.allocated || zeroes !== old.zeroes || isNew || old.compressed !== undefined)
        this.#put(table, index, { host, allocated, zeroes });
      if (isNew) this.#give(old);
    }
    tables.l2.release(table);
  }

  /** Writes an entry, of a cluster that is the active state's alone. */
  #put(table: L2Table, index: number, entry: ClusterEntry, copied = true): void {
    const { l2EntryBytes } = this.#plan.geometry;
    this.#parts.entries.put(table, index, entry, copied);
    this.#parts.written.tables.l2.mark(table, index * l2EntryBytes, (index + 1) * l2EntryBytes);
  }

  /** Gives back what an entry referred to. */
  #give({ host, compressed }: ClusterEntry): void {
    if (this.#plan.external) return;
    const { allocator } = this.#parts.written;
    const { clusterSize } = this.#plan.geometry;
    if (host !== undefined) allocator.give(host / clusterSize);
    if (compressed === undefined) return;
    const first = Math.floor(compressed.at / clusterSize);
    const last = Math.floor((compressed.at + compressed.stored - 1) / clusterSize);
    allocator.give(first, last - first + 1);
  }

  async zero(offset: number, length: number, unmap: boolean, io: Io): Promise<boolean> {
    if (this.#parts.rawData) return false; // the raw file itself has to hold the zeroes
    const { header } = this.#parts.written.image;
    const hidesBase = this.#plan.base !== undefined && this.#plan.base.size() > offset;
    if (header.version < 3 && (hidesBase || !unmap)) return false;
    await this.#eachCluster(offset, offset + length, io, (table, cluster) =>
      this.#zeroCluster(table, cluster, unmap, io),
    );
    return true;
  }

  /** Whole units of one cluster. */
  async #zeroCluster(table: L2Table, cluster: ClusterRange, unmap: boolean, io: Io): Promise<void> {
    const { entries, written } = this.#parts;
    const { index, offset, from, to } = cluster;
    const old = entries.read(table, index);
    const touched = entries.mask(from, to);
    const hasPlace = old.host !== undefined || old.compressed !== undefined;
    if (!hasPlace && old.zeroes === 0 && (this.#plan.base?.size() ?? 0) <= offset + from) return;
    if (touched !== entries.all) {
      if (old.compressed !== undefined) {
        await this.#engine?.write(offset + from, new Uint8Array(to - from), io);
        return;
      }
      const allocated = (old.allocated & ~touched) >>> 0;
      const zeroes = (old.zeroes | touched) >>> 0;
      const isOwn = old.host !== undefined && (this.#plan.external || (await isOwned(this.#plan, old.host)));
      this.#put(table, index, { host: old.host, allocated, zeroes }, isOwn);
      return;
    }
    const isOwn = old.host !== undefined && !this.#plan.external && (await isOwned(this.#plan, old.host));
    const keeps = isOwn && !unmap;
    const zeroes = written.image.header.version < 3 ? 0 : entries.all;
    this.#put(table, index, { host: keeps ? old.host : undefined, allocated: 0, zeroes });
    if (!keeps) this.#give(old);
  }

  /** Qemu's rule: what had a place reads as zeroes afterwards, also where a base would show. */
  async discard(offset: number, length: number, io: Io): Promise<void> {
    if (this.#parts.rawData) return;
    const { entries, written } = this.#parts;
    const { version } = written.image.header;
    if (version < 3 && this.#plan.base !== undefined && this.#plan.base.size() > offset) return;
    await this.#eachCluster(offset, offset + length, io, async (table, { index }) => {
      const old = entries.read(table, index);
      const hasPlace = old.host !== undefined || old.compressed !== undefined;
      if (!hasPlace) return;
      this.#put(table, index, { ...NO_CLUSTER, zeroes: version < 3 ? 0 : entries.all });
      this.#give(old);
    });
  }

  /** Work on each cluster of a range, in tables that may be changed. Where nothing is, and nothing shows, nothing is done. */
  async #eachCluster(
    offset: number,
    end: number,
    io: Io,
    work: (table: L2Table, cluster: ClusterRange) => Promise<void>,
  ): Promise<void> {
    const { tables } = this.#parts.written;
    const { clusterSize, l2Coverage, l2Entries } = this.#plan.geometry;
    const baseEnd = this.#plan.base?.size() ?? 0;
    while (offset < end) {
      const l1Index = Math.floor(offset / l2Coverage);
      const tableEnd = Math.min(end, (l1Index + 1) * l2Coverage);
      if (tables.tableOffset(l1Index) !== 0 || offset < baseEnd) {
        await this.#ready(io);
        const table = await tables.writable(l1Index);
        try {
          while (offset < tableEnd) {
            const number = Math.floor(offset / clusterSize);
            const from = offset % clusterSize;
            const clusterEnd = (number + 1) * clusterSize;
            // The last cluster of the disk counts as whole.
            const to = Math.min(tableEnd, clusterEnd) - offset + from;
            const isLast = offset - from + to === this.#parts.written.image.header.size;
            const range = {
              index: number % l2Entries,
              offset: offset - from,
              from,
              to: isLast ? clusterSize : to,
            };
            await work(table, range);
            offset = Math.min(tableEnd, clusterEnd);
          }
        } finally {
          tables.l2.release(table);
        }
      }
      offset = tableEnd;
    }
  }

  async compress(offset: number, cluster: Uint8Array, io: Io): Promise<boolean> {
    await this.#ready(io);
    const { written, entries, compress, encrypted } = this.#parts;
    if (this.#plan.external) throw noCompression('an external data file');
    if (encrypted) throw noCompression('encryption: they would stand there in the clear');
    if (compress === undefined)
      throw new DiskError('ERR_UNSUPPORTED', 'the program has no compressor for this image');
    const { clusterSize, clusterBits, l2Coverage, l2Entries, l2EntryBytes } = this.#plan.geometry;
    const table = await written.tables.writable(Math.floor(offset / l2Coverage));
    try {
      const index = Math.floor(offset / clusterSize) % l2Entries;
      const old = entries.read(table, index);
      if (old.host !== undefined || old.compressed !== undefined) {
        throw new DiskError(
          'ERR_ARGUMENT',
          `the cluster at offset ${offset} has a place already; compressed clusters are written only once`,
        );
      }
      await compress.ready?.();
      const stored = await compress(cluster, clusterSize);
      if (stored === undefined) return false;
      const at = await written.allocator.allocateBytes(stored.length);
      const run = {
        cluster: Math.floor(at / clusterSize),
        count: Math.floor((at + stored.length - 1) / clusterSize) - Math.floor(at / clusterSize) + 1,
      };
      try {
        if (at + stored.length > compressedOffsetLimit(clusterBits))
          throw noCompression(`an image of ${at} bytes`);
        await written.file.writeData(at, stored, io);
      } catch (error) {
        await written.allocator.untake(run);
        throw error;
      }
      entries.putCompressed(table, index, { at, stored: stored.length });
      written.tables.l2.mark(table, index * l2EntryBytes, (index + 1) * l2EntryBytes);
      return true;
    } finally {
      written.tables.l2.release(table);
    }
  }

  async resize(size: number, io: ResizeIo): Promise<void> {
    await this.#prepare();
    const { written, guard, entries, base } = this.#parts;
    const context = {
      written,
      guard,
      entries,
      base,
      zero: (from: number, to: number) => this.#zeroPastEnd(from, to, io),
      forget: (from: number, to: number) => this.#forget(from, to, io),
    };
    await this.#commits.run(async () => {
      this.#resizing = true;
      try {
        await resizeImage(context, size, io);
      } finally {
        this.#resizing = false;
      }
    });
  }

  /** Between the end of the disk and the one that it is to have: nothing that was there, or shows there, may be read. */
  async #zeroPastEnd(from: number, to: number, io: Io): Promise<void> {
    const { unitSize } = this.#parts.entries;
    const whole = Math.min(to, roundUp(from, unitSize));
    if (whole > from && !(await this.#readsZero(from))) await this.#writeZeroes(from, whole, io);
    if (whole < to && !(await this.zero(whole, to - whole, true, io))) {
      await this.#writeZeroes(whole, Math.min(to, Math.max(whole, this.#plan.base?.size() ?? 0)), io);
    }
  }

  async #writeZeroes(from: number, to: number, io: Io): Promise<void> {
    for (let offset = from; offset < to; offset += ZERO_PIECE) {
      await this.#engine?.write(offset, new Uint8Array(Math.min(ZERO_PIECE, to - offset)), io);
    }
  }

  /** Whether nothing but zeroes can stand in the unit of this byte. */
  async #readsZero(offset: number): Promise<boolean> {
    const { entries, written } = this.#parts;
    const { clusterSize, l2Coverage, l2Entries } = this.#plan.geometry;
    const showsBase = (this.#plan.base?.size() ?? 0) > offset - (offset % entries.unitSize);
    const table = await written.tables.table(Math.floor(offset / l2Coverage));
    if (table === undefined) return !showsBase;
    const { allocated, zeroes } = entries.read(table, Math.floor(offset / clusterSize) % l2Entries);
    const unit = entries.mask(offset % clusterSize, (offset % clusterSize) + 1);
    return (zeroes & unit) !== 0 || ((allocated & unit) === 0 && !showsBase);
  }

  /** What is past the end of a disk that has become shorter: clusters, and tables that map nothing else. */
  async #forget(from: number, to: number, io: Io): Promise<void> {
    const { entries } = this.#parts;
    await this.#eachCluster(roundUp(from, this.unit), to, io, async (table, { index }) => {
      const old = entries.read(table, index);
      this.#put(table, index, NO_CLUSTER);
      this.#give(old);
    });
  }

  async changeBacking(backing: BackingName | undefined): Promise<void> {
    await this.#prepare();
    const { written } = this.#parts;
    await this.#commits.run(async () => {
      await commit(written);
      await changeBackingName(written, backing);
    });
  }

  /** The file ends with the last cluster in use. */
  async finish(): Promise<void> {
    if (this.#prepared === undefined && !this.#staged) return; // nothing was written
    await trimImage(this.#parts.written);
  }
}

/** Units of one cluster: `offset` is its first guest byte, `from` and `to` are counted from there. */
interface ClusterRange {
  readonly index: number;
  readonly offset: number;
  readonly from: number;
  readonly to: number;
}

function noCompression(why: string): DiskError {
  return new DiskError('ERR_UNSUPPORTED', `no compressed clusters with ${why}`);
}
