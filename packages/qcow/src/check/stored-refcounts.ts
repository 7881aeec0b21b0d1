import type { DiskModule, Io } from '@diskstack/core';
import { LoadingCache, type MaybePromise, readFully } from '@diskstack/core/format';
import { refcountAt, refcountBlockEntries, refcountBlockOffset } from '../layout/refcount.ts';

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
  readonly #refcountOrder: number;
  readonly #blocks = new LoadingCache<DataView>(8 * 1024 * 1024);
  /** The block that was used last, and its byte: most look-ups hit it. */
  #recent: readonly [number, DataView] | undefined;
  readonly blockEntries: number;
  /** The highest refcount that an entry can hold. */
  readonly max: number;

  constructor(file: DiskModule, table: RefcountTable, clusterSize: number, refcountOrder: number) {
    this.#file = file;
    this.table = table;
    this.#clusterSize = clusterSize;
    this.#refcountOrder = refcountOrder;
    this.blockEntries = refcountBlockEntries(clusterSize, refcountOrder);
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
    return refcountAt(block, index, this.#refcountOrder);
  }

  /** The block of a table entry; `undefined` when there is none, which means that all its refcounts are 0. */
  block(entry: number, io: Io): MaybePromise<DataView> | undefined {
    const at = this.blockAt(entry);
    if (at === 0) return undefined;
    if (this.#recent?.[0] === at) return this.#recent[1];
    const cached = this.#blocks.peek(at);
    if (cached !== undefined) {
      this.#recent = [at, cached];
      return cached;
    }
    return this.#blocks.loading(at) ?? this.#load(at, io);
  }

  #load(at: number, io: Io): MaybePromise<DataView> {
    const bytes = new Uint8Array(this.#clusterSize);
    const view = new DataView(bytes.buffer);
    const there = bytes.subarray(0, Math.min(bytes.length, this.#file.size() - at)); // the last cluster may be incomplete
    const reading = readFully(this.#file, at, there, io);
    if (reading !== undefined)
      return this.#blocks.adopt(
        at,
        reading.then(() => view),
        bytes.length,
      );
    this.#blocks.put(at, view, bytes.length);
    return view;
  }
}
