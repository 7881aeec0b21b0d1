import type {
  AmendOptions,
  BackingName,
  BitmapStore,
  DiskError,
  Io,
  RepairOptions,
  RepairReport,
  ResizeIo,
  SnapshotStore,
  WorkIo,
  ZeroesIo,
} from '@diskstack/core';
import {
  type MappingWriter,
  Mutex,
  type Placement,
  untilAborted,
  type WriteEngine,
} from '@diskstack/core/format';
import type { DirtyBits } from '../bitmaps/dirty-bits.ts';
import { snapshotInfos } from '../describe/describe-header.ts';
import { snapshotSize } from '../image/disk-state.ts';
import { has, type QcowImage } from '../image/image.ts';
import type { Bitmap } from '../layout/bitmap.ts';
import { findSnapshot, readSnapshots, type SnapshotTable } from '../snapshots/snapshot-table.ts';
import { recordApplied } from './bitmaps/applied-changes.ts';
import { bitmapStoreOf } from './bitmaps/bitmap-store.ts';
import { BitmapTracker } from './bitmaps/bitmap-tracker.ts';
import { compress } from './data/compress.ts';
import { discard } from './data/discard.ts';
import { inPlace } from './data/in-place.ts';
import { place } from './data/place.ts';
import type { WriteContext, WriteParts } from './data/write-context.ts';
import { zero } from './data/zero.ts';
import { clearUnknownAutoclear } from './metadata/autoclear.ts';
import { flushMetadata } from './metadata/flush-metadata.ts';
import { refusalOf } from './metadata/refusal.ts';
import { changeBackingName } from './operations/backing-name.ts';
import { giveSpaceBack } from './operations/give-back.ts';
import { resizeImage } from './operations/resize.ts';
import { trimImage } from './operations/trim.ts';
import { repairIfDirty } from './repair/repair-if-dirty.ts';
import { applySnapshot } from './snapshots/snapshot-changes.ts';
import { snapshotStoreOf } from './snapshots/snapshot-store.ts';
import type { SnapshotContext } from './snapshots/snapshot-tables.ts';

/** Changed tables in memory are flushed when they take more bytes than this. */
const MOST_DIRTY = 16 * 1024 * 1024;

/**
 * The write side of an image of version 2 or 3. Each operation is in a file of its name. This class decides when it
 * runs: after the preparation for the first write, and serialised with flushes where needed. Repairs and amendments are loaded
 * with their first call.
 */
export class QcowWriter implements MappingWriter {
  readonly unit: number;
  readonly zeroUnit: number;
  readonly #context: WriteContext;
  readonly #exclusive = new Mutex();
  /** A flush that has not begun: calls meanwhile share it. */
  #nextFlush: Promise<void> | undefined;
  #prepared: Promise<void> | undefined;
  #engine: WriteEngine | undefined;
  #snapshotTable: SnapshotTable;
  readonly #bitmaps: BitmapTracker;
  /** Set when bitmaps or a repair changed the image, which happens without `prepare`. */
  #staged = false;
  /** Set while resize() or amend() holds the mutex, so that its own writes flush directly instead of deadlocking. */
  #resizing = false;
  /** Set after an amendment: the metadata in memory does not match the image, so this writer is finished. */
  #amended = false;

  constructor(parts: WriteParts, snapshots: SnapshotTable) {
    const { state, entries } = parts;
    const { geometry } = state.image;
    this.#snapshotTable = snapshots;
    this.unit = geometry.clusterSize;
    this.zeroUnit = entries.unitSize;
    this.#context = {
      ...parts,
      geometry,
      external: state.file.dataFile !== undefined,
      refcount: (cluster) => state.refcounts.get(cluster),
      prepare: () => this.#prepare(),
      ready: (io) => this.#ready(io),
      record: (offset, length) => this.record(offset, length),
      write: async (offset, data, io) => await this.#engine?.write(offset, data, io),
    };
    this.#bitmaps = new BitmapTracker(this.#context);
  }

  /** The current head of the image. */
  get image(): QcowImage {
    return this.#context.state.image;
  }

  attach(engine: WriteEngine): void {
    this.#engine = engine;
    this.#context.state.attach(engine);
  }

  /** Writes all metadata in memory. Calls that wait share one flush, which no single signal aborts. */
  flush(io: Io): Promise<void> {
    if (this.#amended) return Promise.resolve();
    this.#nextFlush ??= this.#exclusive.run(() => {
      this.#nextFlush = undefined;
      return flushMetadata(this.#context.state);
    });
    return untilAborted(this.#nextFlush, io.signal);
  }

  /** Runs once before the first write: repairs a dirty image and clears unknown autoclear bits. */
  #prepare(): Promise<void> {
    this.#prepared ??= this.#prepareNow().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #prepareNow(): Promise<void> {
    // The refcounts of an image that was not closed cleanly may be too low, so they cannot be used to allocate.
    if (has(this.image, 'dirty')) await this.#exclusive.run(() => repairIfDirty(this.#context));
    await clearUnknownAutoclear(this.#context.state);
  }

  async repair(options: RepairOptions): Promise<RepairReport> {
    const { repairImage } = await import('./repair/repair-image.ts');
    return await this.#exclusive.run(async () => {
      if (!options.dryRun) {
        this.#staged = true;
        await clearUnknownAutoclear(this.#context.state);
      }
      const report = await repairImage(this.#context, options);
      await this.#readSnapshots(); // the table may have moved
      return report;
    });
  }

  get refusal(): DiskError | undefined {
    return refusalOf(this.#context.state, this.#amended);
  }

  /** The current snapshot table. */
  get snapshotTable(): SnapshotTable {
    return this.#snapshotTable;
  }

  get snapshots(): SnapshotStore {
    return snapshotStoreOf({
      list: () => snapshotInfos(this.#snapshotTable, this.image.header.size),
      run: (change) => this.#changeSnapshots(change),
      apply: (context, idOrName, io) => this.#apply(context, idOrName, io),
    });
  }

  /** Applies a snapshot, and records the changes in the dirty bitmaps. */
  async #apply(context: SnapshotContext, idOrName: string, io: WorkIo): Promise<void> {
    const snapshot = findSnapshot(context.table.snapshots, idOrName);
    await this.#bitmaps.whileResized(snapshotSize(snapshot, this.image.header.size), async () => {
      await this.#bitmaps.recordAll((record) => recordApplied(context, snapshot, record));
      await applySnapshot(context, idOrName, io);
    });
  }

  /** The current bitmaps; `undefined` while nothing has changed them. */
  get bitmaps(): readonly Bitmap[] | undefined {
    return this.#bitmaps.list;
  }

  /** Changes in memory that belong to a bitmap beside its stored bits. */
  changesOf(bitmap: Bitmap): DirtyBits | undefined {
    return this.#bitmaps.changesOf(bitmap);
  }

  record(offset: number, length: number): Promise<void> | undefined {
    return this.#bitmaps.record(offset, length);
  }

  /** Changes bitmaps. Only version 3 has them. */
  get bitmapStore(): BitmapStore | undefined {
    if (this.image.header.version < 3) return undefined;
    return bitmapStoreOf(this.#context, (change) => this.#changeBitmaps(change));
  }

  async #changeBitmaps(change: () => Promise<void>): Promise<void> {
    const { state } = this.#context;
    await this.#exclusive.run(async () => {
      await repairIfDirty(this.#context);
      await clearUnknownAutoclear(state);
      this.#staged = true;
      await this.#bitmaps.whileChanged(change);
    });
  }

  async #changeSnapshots(change: (context: SnapshotContext) => Promise<void>): Promise<void> {
    await this.#prepare();
    const { state } = this.#context;
    await this.#exclusive.run(async () => {
      try {
        await change({ ...this.#context, table: this.#snapshotTable });
      } catch (error) {
        await this.#readSnapshots().catch(() => {}); // the change has its own error
        throw error;
      }
      await this.#readSnapshots();
      await flushMetadata(state);
    });
  }

  async #readSnapshots(): Promise<void> {
    const { file, header, limits } = this.image;
    this.#snapshotTable = await readSnapshots(file, header, limits, {});
  }

  async #ready(io: Io): Promise<void> {
    await this.#prepare();
    const { tables, refcounts } = this.#context.state;
    if (tables.l2.bytes + refcounts.blocks.bytes <= MOST_DIRTY) return;
    await (this.#resizing ? flushMetadata(this.#context.state) : this.flush(io));
  }

  inPlace(offset: number, length: number): Promise<Placement | undefined> {
    return inPlace(this.#context, offset, length);
  }

  place(offset: number, length: number, io: Io): Promise<Placement> {
    return place(this.#context, offset, length, io);
  }

  zero(offset: number, length: number, io: ZeroesIo): Promise<boolean> {
    return zero(this.#context, offset, length, io);
  }

  discard(offset: number, length: number, io: Io): Promise<void> {
    return discard(this.#context, offset, length, io);
  }

  compress(offset: number, cluster: Uint8Array, io: Io): Promise<boolean> {
    return compress(this.#context, offset, cluster, io);
  }

  async resize(size: number, io: ResizeIo): Promise<void> {
    await this.#prepare();
    await this.#exclusive.run(async () => {
      this.#resizing = true;
      try {
        await this.#bitmaps.whileResized(size, () => resizeImage(this.#context, size, io));
        await this.#readSnapshots(); // each records its size now
      } finally {
        this.#resizing = false;
      }
    });
  }

  async changeBacking(backing: BackingName | undefined): Promise<void> {
    await this.#prepare();
    const { state } = this.#context;
    await this.#exclusive.run(async () => {
      await flushMetadata(state);
      await changeBackingName(state, backing);
    });
  }

  async amend(options: AmendOptions): Promise<void> {
    const { state } = this.#context;
    const { amendImage, checkAmendment } = await import('./amend/amend.ts');
    await this.#exclusive.run(async () => {
      const amendment = await checkAmendment(this.#context, this.#snapshotTable, options);
      if (options.dryRun) return;
      await repairIfDirty(this.#context);
      await clearUnknownAutoclear(state);
      this.#staged = true;
      this.#resizing = true;
      await this.#bitmaps.store(); // the guest content does not change from here on
      this.#prepared ??= Promise.resolve();
      try {
        await amendImage(this.#context, amendment, options);
      } finally {
        this.#resizing = false;
        this.#amended = true;
      }
    });
  }

  /** Stores the bitmaps, and truncates the file after the last cluster in use. Runs on close. */
  async finish(): Promise<void> {
    if (this.#amended) return; // the metadata in memory does not match the file
    await this.#exclusive.run(() => this.#bitmaps.store());
    if (this.#prepared === undefined && !this.#staged) return; // nothing was written
    await trimImage({ ...this.#context, snapshots: this.#snapshotTable });
    await giveSpaceBack(this.#context.state);
  }
}
