import { type DiskModule, type Io, LoadingCache, readFully } from '@diskstack/core';
import { refcountAt, refcountBlockEntries, refcountBlockOffset } from '../layout/refcount.ts';

export interface RefcountTable {
  /** The bytes of the table. */
  readonly view: DataView;
  /** Byte of the table in the image. */
  readonly at: number;
  readonly entries: number;
}

/** The refcounts that the image has, looked up block by block. qcow2 spec, "Host cluster management". */
export class StoredRefcounts {
  readonly table: RefcountTable;
  readonly #file: DiskModule;
  readonly #clusterSize: number;
  readonly #refcountOrder: number;
  readonly #blocks = new LoadingCache<DataView>(8 * 1024 * 1024);
  readonly blockEntries: number;

  constructor(file: DiskModule, table: RefcountTable, clusterSize: number, refcountOrder: number) {
    this.#file = file;
    this.table = table;
    this.#clusterSize = clusterSize;
    this.#refcountOrder = refcountOrder;
    this.blockEntries = refcountBlockEntries(clusterSize, refcountOrder);
  }

  /** Byte of the block that holds the refcounts of this table entry; 0 for none, or one that is of no use. */
  blockAt(entry: number): number {
    if (entry >= this.table.entries) return 0;
    const at = refcountBlockOffset(
      this.table.view.getUint32(entry * 8),
      this.table.view.getUint32(entry * 8 + 4),
    );
    const usable = at % this.#clusterSize === 0 && at + this.#clusterSize <= this.#file.size();
    return usable ? at : 0;
  }

  /** The refcount of a cluster. At once as a rule. */
  get(cluster: number, io: Io): number | Promise<number> {
    const block = this.block(Math.floor(cluster / this.blockEntries), io);
    const index = cluster % this.blockEntries;
    if (block === undefined) return 0;
    if (block instanceof Promise)
      return block.then((loaded) => refcountAt(loaded, index, this.#refcountOrder));
    return refcountAt(block, index, this.#refcountOrder);
  }

  /** The refcount at this place of a block. */
  at(block: DataView, index: number): number {
    return refcountAt(block, index, this.#refcountOrder);
  }

  /** The block of a table entry; `undefined` where there is none: all its refcounts are 0. */
  block(entry: number, io: Io): DataView | Promise<DataView> | undefined {
    const at = this.blockAt(entry);
    if (at === 0) return undefined;
    const known = this.#blocks.peek(at) ?? this.#blocks.loading(at);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(this.#clusterSize);
    const view = new DataView(bytes.buffer);
    const reading = readFully(this.#file, at, bytes, io);
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
