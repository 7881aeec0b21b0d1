import { DiskError, hex } from '@diskstack/core';
import { breathe, LoadingCache, type MaybePromise, readFully } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { putRefcount, refcountAt, refcountBlockEntries, refcountBytes } from '../../layout/refcount.ts';
import { DirtyTables, type Table } from '../file/dirty-tables.ts';
import type { ImageFile } from '../file/image-file.ts';
import { RefcountTable } from './refcount-table.ts';

/** Bytes of unchanged blocks that are cached. */
const CACHE_BYTES = 8 * 1024 * 1024;

export interface RefcountShape {
  readonly clusterSize: number;
  readonly refcountOrder: number;
}

/**
 * The refcounts of the image: read on demand, changed in memory. qcow2 spec, "Host cluster management".
 *
 * A refcount is never lower than the number of references in the stored image, even after a crash: it is raised before
 * anything refers to the cluster, and lowered only after the image no longer does.
 */
export class Refcounts {
  readonly blockEntries: number;
  /** The highest refcount that an entry can hold. */
  readonly max: number;
  readonly blocks: DirtyTables<Table>;
  readonly table: RefcountTable;
  readonly #file: ImageFile;
  readonly #guard: OverlapGuard;
  readonly #shape: RefcountShape;
  readonly #pinned = new Map<number, Table>();
  readonly #cache = new LoadingCache<Table>(CACHE_BYTES);
  /** The block that was used last: most look-ups hit it. */
  #recent: readonly [number, Table] | undefined;

  constructor(
    file: ImageFile,
    guard: OverlapGuard,
    shape: RefcountShape,
    table: { readonly view: DataView; readonly at: number },
  ) {
    this.#file = file;
    this.#guard = guard;
    this.#shape = shape;
    this.blockEntries = refcountBlockEntries(shape.clusterSize, shape.refcountOrder);
    this.max = 2 ** (2 ** shape.refcountOrder) - 1;
    this.table = new RefcountTable(table);
    this.blocks = new DirtyTables({
      pin: (block) => {
        this.#pinned.set(block.at, block);
      },
      unpin: (block) => {
        this.#pinned.delete(block.at);
        this.#cache.invalidate(block.at);
        this.#cache.put(block.at, block, block.view.byteLength);
      },
      forget: (at) => this.#forget(at),
    });
    this.claimPlaces();
  }

  /** Claims the clusters of the table and of the blocks. */
  claimPlaces(): void {
    if (this.table.placedBytes > 0)
      this.#guard.claim('the refcount table', this.table.at, this.table.placedBytes);
    for (let index = 0; index < this.tableEntries; index++) {
      const at = this.blockOffset(index);
      if (at !== 0) this.#guard.claim('a refcount block', at, this.#shape.clusterSize);
    }
  }

  get tableEntries(): number {
    return this.table.entries;
  }

  /** Byte of the block of this table entry; 0 for none. */
  blockOffset(index: number): number {
    const at = this.table.blockOffset(index);
    if (at % this.#shape.clusterSize === 0) return at;
    throw new DiskError(
      'ERR_CORRUPT',
      `a refcount block at byte ${hex(at)}, which is not a multiple of ${this.#shape.clusterSize}`,
      {
        offset: this.table.at + index * 8,
      },
    );
  }

  /** The refcount of a cluster. A promise only when its block has to be read. */
  get(cluster: number): MaybePromise<number> {
    const block = this.block(Math.floor(cluster / this.blockEntries));
    if (block === undefined) return 0;
    const index = cluster % this.blockEntries;
    return block instanceof Promise ? block.then((loaded) => this.at(loaded, index)) : this.at(block, index);
  }

  at(block: Table, index: number): number {
    return refcountAt(block.view, index, this.#shape.refcountOrder);
  }

  /** The block of a table entry; `undefined` when there is none, which means that all its refcounts are 0. */
  block(index: number): MaybePromise<Table> | undefined {
    if (this.#recent?.[0] === index) return this.#recent[1];
    const at = this.blockOffset(index);
    if (at === 0) return undefined;
    const known = this.#pinned.get(at) ?? this.#cache.peek(at);
    if (known === undefined) return this.#cache.loading(at) ?? this.#load(at, index);
    this.#recent = [index, known];
    return known;
  }

  #load(at: number, index: number): MaybePromise<Table> {
    const { disk } = this.#file;
    const bytes = new Uint8Array(this.#shape.clusterSize);
    const block = { view: new DataView(bytes.buffer), at };
    const there = Math.min(bytes.length, disk.size() - at); // the last cluster of the file may be incomplete
    if (there <= 0) {
      throw new DiskError(
        'ERR_TRUNCATED',
        `a refcount block at byte ${hex(at)}, the file ends at ${hex(disk.size())}`,
        { offset: this.table.at + index * 8 },
      );
    }
    const reading = readFully(disk, at, bytes.subarray(0, there));
    if (reading !== undefined)
      return this.#cache.adopt(
        at,
        reading.then(() => block),
        bytes.length,
      );
    this.#cache.put(at, block, bytes.length);
    this.#recent = [index, block];
    return block;
  }

  /** Writes a refcount into its block, in memory. */
  put(block: Table, index: number, refcount: number): void {
    putRefcount(block.view, index, this.#shape.refcountOrder, refcount);
    this.blocks.mark(block, ...refcountBytes(index, this.#shape.refcountOrder));
  }

  /** Sets the refcount of these clusters to 1. Each has a block and refcount 0. */
  async take(first: number, count: number): Promise<void> {
    for (let cluster = first; cluster < first + count; ) {
      const number = Math.floor(cluster / this.blockEntries);
      const pause = breathe();
      if (pause !== undefined) await pause;
      const found = this.block(number);
      const block = found instanceof Promise ? await found : found;
      if (block === undefined) throw this.#notCounted(cluster);
      const end = Math.min(first + count, (number + 1) * this.blockEntries);
      const { refcountOrder } = this.#shape;
      const index = cluster % this.blockEntries;
      const last = index + end - cluster - 1;
      for (let at = index; at <= last; at++) putRefcount(block.view, at, refcountOrder, 1);
      this.blocks.mark(block, refcountBytes(index, refcountOrder)[0], refcountBytes(last, refcountOrder)[1]);
      cluster = end;
    }
  }

  /** Adds `change` to the refcount of a cluster that has a block. Returns the new refcount. */
  async add(cluster: number, change: number): Promise<number> {
    const found = this.block(Math.floor(cluster / this.blockEntries));
    const block = found instanceof Promise ? await found : found;
    if (block === undefined) throw this.#notCounted(cluster);
    const index = cluster % this.blockEntries;
    const before = this.at(block, index);
    if (!Number.isSafeInteger(before)) throw this.#notCounted(cluster); // no real refcount is that high
    const refcount = before + change;
    if (refcount > this.max) {
      throw new DiskError(
        'ERR_UNSUPPORTED',
        `cluster ${cluster} would be referred to ${refcount} times, refcounts of this image end at ${this.max}`,
      );
    }
    if (refcount < 0) throw this.#notCounted(cluster);
    this.put(block, index, refcount);
    return refcount;
  }

  /** Sets the refcount of a cluster that has a block. */
  async set(cluster: number, refcount: number): Promise<void> {
    const found = this.block(Math.floor(cluster / this.blockEntries));
    const block = found instanceof Promise ? await found : found;
    if (block === undefined) throw this.#notCounted(cluster);
    this.put(block, cluster % this.blockEntries, refcount);
  }

  #notCounted(cluster: number): DiskError {
    return new DiskError('ERR_CORRUPT', `the refcount of cluster ${cluster} is wrong; repair the image`, {
      offset: cluster * this.#shape.clusterSize,
    });
  }

  /** Adds an empty block for a table entry. It, or another block, counts its cluster. */
  addBlock(index: number, at: number): Table {
    this.#forget(at);
    this.#guard.claim('a refcount block', at, this.#shape.clusterSize);
    const block = { view: new DataView(new ArrayBuffer(this.#shape.clusterSize)), at };
    this.blocks.mark(block, 0, this.#shape.clusterSize);
    this.#nameBlock(index, at);
    return block;
  }

  /** Removes a block from the table: the clusters that it counted have refcount 0. */
  dropBlock(index: number, block: Table): void {
    this.blocks.forget(block.at);
    this.#forget(block.at);
    this.#nameBlock(index, 0);
  }

  #nameBlock(index: number, at: number): void {
    this.table.nameBlock(index, at);
    this.#recent = undefined;
  }

  /** Moves the table. The header names the new place after the next flush. */
  moveTable(at: number): void {
    this.#guard.claim('the refcount table', at, this.tableEntries * 8);
    this.table.moveTo(at);
  }

  /** Moves a block, and returns it. */
  moveBlock(index: number, block: Table, at: number): Table {
    const moved = { view: block.view, at };
    this.blocks.forget(block.at);
    this.#forget(at);
    this.#guard.claim('a refcount block', at, this.#shape.clusterSize);
    this.blocks.mark(moved, 0, this.#shape.clusterSize);
    this.#nameBlock(index, at);
    return moved;
  }

  /** Drops all changes. `table` is the stored refcount table. */
  reset(table: { readonly view: DataView; readonly at: number }): void {
    this.blocks.clear();
    this.#cache.clear();
    this.#recent = undefined;
    this.table.reset(table);
  }

  #forget(at: number): void {
    this.#pinned.delete(at);
    this.#cache.invalidate(at);
    this.#recent = undefined;
  }
}
