import { type MaybePromise, Mutex } from '@diskstack/core/format';
import type { Geometry } from '../../layout/geometry.ts';
import { l2TableOffsetV1 } from '../../layout/l1-entry.ts';
import type { L1Table } from '../../tables/l1-table.ts';
import type { L2Table, L2Tables } from '../../tables/l2-tables.ts';
import { inParallel } from '../async/in-parallel.ts';
import { ChangedRange } from '../file/changed-range.ts';
import { DirtyTables } from '../file/dirty-tables.ts';
import type { ImageFile } from '../file/image-file.ts';
import type { FileEnd } from './file-end.ts';

const TWO_32 = 2 ** 32;

/** The L1 table and the L2 tables of a version 1 image, changed in memory. */
export class V1Tables {
  readonly l2: DirtyTables<L2Table>;
  readonly #l1: L1Table;
  readonly #l2Tables: L2Tables;
  readonly #geometry: Geometry;
  readonly #file: ImageFile;
  readonly #end: FileEnd;
  readonly #making = new Mutex();
  /** The changed entries of the L1 table. */
  readonly #changed = new ChangedRange();

  constructor(parts: {
    readonly l1: L1Table;
    readonly l2Tables: L2Tables;
    readonly geometry: Geometry;
    readonly file: ImageFile;
    readonly end: FileEnd;
  }) {
    this.#l1 = parts.l1;
    this.#l2Tables = parts.l2Tables;
    this.#geometry = parts.geometry;
    this.#file = parts.file;
    this.#end = parts.end;
    this.l2 = new DirtyTables(parts.l2Tables);
  }

  /** The L2 table for reading; `undefined` when there is none. */
  table(l1Index: number): MaybePromise<L2Table> | undefined {
    const { view, at } = this.#l1;
    const tableAt = l2TableOffsetV1(view.getUint32(l1Index * 8), view.getUint32(l1Index * 8 + 4));
    return tableAt === 0 ? undefined : this.#l2Tables.at(tableAt, at + l1Index * 8);
  }

  /** The L2 table for changing, created when there is none. It is held; the caller calls `l2.release`. */
  writable(l1Index: number): Promise<L2Table> {
    return this.#making.run(async () => {
      const found = this.table(l1Index);
      const table = found === undefined ? await this.#make(l1Index) : await found;
      this.l2.hold(table);
      return table;
    });
  }

  async #make(l1Index: number): Promise<L2Table> {
    const { l2TableBytes } = this.#geometry;
    const { at } = await this.#end.take(l2TableBytes);
    this.#end.claim(at, l2TableBytes);
    const table = { view: new DataView(new ArrayBuffer(l2TableBytes)), at };
    this.l2.forget(at);
    this.l2.mark(table, 0, l2TableBytes);
    this.#l1.view.setUint32(l1Index * 8, Math.floor(at / TWO_32));
    this.#l1.view.setUint32(l1Index * 8 + 4, at % TWO_32);
    this.#changed.add(l1Index, l1Index + 1);
    return table;
  }

  /** Changes an entry of a table that is held. */
  put(table: L2Table, index: number, hi: number, lo: number): void {
    table.view.setUint32(index * 8, hi);
    table.view.setUint32(index * 8 + 4, lo);
    this.l2.mark(table, index * 8, (index + 1) * 8);
  }

  /**
   * Writes changed tables: L2 tables after the data that they name is on stable storage, then L1 entries after the L2
   * tables. A crash in between leaves unused bytes at most.
   */
  async flush(): Promise<void> {
    const parts = this.l2.take();
    const { from, to } = this.#changed;
    const { view, at } = this.#l1;
    const l1 = new Uint8Array(view.buffer, view.byteOffset + from * 8, (to - from) * 8).slice();
    this.#changed.clear();
    try {
      if (parts.length > 0) {
        await this.#file.barrier();
        await inParallel(parts, (part) => this.#end.write(part.table.at + part.from, part.bytes));
      }
      if (l1.length > 0) {
        await this.#file.barrier();
        await this.#end.write(at + from * 8, l1);
      }
    } catch (error) {
      this.l2.putBack(parts);
      if (l1.length > 0) this.#changed.add(from, to);
      throw error;
    }
    this.l2.done(parts);
  }
}
