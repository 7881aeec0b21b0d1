import type { DiskModule, Io } from '@diskstack/core';
import { type MaybePromise, readFully } from '@diskstack/core/format';
import { refcountAt, refcountBlockEntries, refcountBlockOffset } from '../layout/refcount.ts';

/** Bytes of refcount blocks in memory. */
const CACHE_BYTES = 8 * 1024 * 1024;

/** A refcount block in memory. */
interface CachedBlock {
  /** Byte of the block in the image; 0: the memory holds no block. */
  at: number;
  readonly view: DataView<ArrayBuffer>;
}

export interface RefcountTable {
  /** The bytes of the table. */
  readonly view: DataView;
  /** Byte of the table in the image. */
  readonly at: number;
  readonly entries: number;
}

/** The stored refcounts of the image, read block by block. qcow2 spec, "Host cluster management". */
export class StoredRefcounts {
  readonly table: RefcountTable;
  readonly #file: DiskModule;
  readonly #clusterSize: number;
  /** The blocks that were read last. The block of table entry `n` is in place `n` modulo the number of places. */
  readonly #blocks: (CachedBlock | undefined)[];
  readonly refcountOrder: number;
  readonly blockEntries: number;
  /** The highest refcount that an entry can hold. */
  readonly max: number;

  constructor(file: DiskModule, table: RefcountTable, clusterSize: number, refcountOrder: number) {
    this.#file = file;
    this.table = table;
    this.#clusterSize = clusterSize;
    this.refcountOrder = refcountOrder;
    this.blockEntries = refcountBlockEntries(clusterSize, refcountOrder);
    this.#blocks = new Array<CachedBlock | undefined>(Math.max(1, Math.floor(CACHE_BYTES / clusterSize)));
    this.max = 2 ** (2 ** refcountOrder) - 1;
  }

  /** Byte of the block of this table entry; 0 for none, or for one past the end of the file. */
  blockAt(entry: number): number {
    const at = this.#offset(entry);
    return at < this.#file.size() ? at : 0;
  }

  /** Whether the entry names an impossible place, so that its refcounts are unknown. */
  isLost(entry: number): boolean {
    const at = this.#offset(entry);
    return at % this.#clusterSize !== 0 || at >= 2 ** 63; // no file has an offset of 64 bits
  }

  /** Whether the image has no block for the refcount of this cluster, which means that it is 0. */
  hasNone(cluster: number): boolean {
    const entry = Math.floor(cluster / this.blockEntries);
    return !this.isLost(entry) && this.blockAt(entry) === 0;
  }

  #offset(entry: number): number {
    if (entry >= this.table.entries) return 0;
    return refcountBlockOffset(
      this.table.view.getUint32(entry * 8),
      this.table.view.getUint32(entry * 8 + 4),
    );
  }

  /** The refcount of a cluster; `undefined` when it is unknown. A promise only when its block has to be read. */
  get(cluster: number, io: Io): number | undefined | Promise<number> {
    const entry = Math.floor(cluster / this.blockEntries);
    if (this.isLost(entry)) return undefined;
    const block = this.block(entry, io);
    const index = cluster % this.blockEntries;
    if (block === undefined) return 0;
    if (block instanceof Promise) return block.then((loaded) => this.at(loaded, index));
    return this.at(block, index);
  }

  /** The refcount at this index of a block. */
  at(block: DataView, index: number): number {
    return refcountAt(block, index, this.refcountOrder);
  }

  /**
   * The block of a table entry; `undefined` when there is none, which means that all its refcounts are 0. Its bytes are
   * valid until the next call.
   */
  block(entry: number, io: Io): MaybePromise<DataView> | undefined {
    const at = this.blockAt(entry);
    if (at === 0) return undefined;
    const place = entry % this.#blocks.length;
    let cached = this.#blocks[place];
    if (cached?.at === at) return cached.view;
    // The memory of a block is used again: large images have thousands, and the collector of garbage is late.
    cached ??= { at: 0, view: new DataView(new ArrayBuffer(this.#clusterSize)) };
    this.#blocks[place] = cached;
    return this.#load(cached, at, io);
  }

  #load(cached: CachedBlock, at: number, io: Io): MaybePromise<DataView> {
    const { view } = cached;
    const bytes = new Uint8Array(view.buffer);
    cached.at = 0; // until all bytes are there
    const there = Math.min(bytes.length, this.#file.size() - at); // the last cluster may be incomplete
    bytes.fill(0, there);
    const loaded = (): DataView => {
      cached.at = at;
      return view;
    };
    const reading = readFully(this.#file, at, bytes.subarray(0, there), io);
    return reading === undefined ? loaded() : reading.then(loaded);
  }
}
