import { DiskError, hex } from '@diskstack/core';
import type { MaybePromise } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import type { Geometry } from '../../layout/geometry.ts';
import { isL1Copied, l2TableOffset, putL1Entry } from '../../layout/l1-entry.ts';
import type { L1Table } from '../../tables/l1-table.ts';
import type { L2Table, L2Tables } from '../../tables/l2-tables.ts';
import { ChangedRange } from '../file/changed-range.ts';
import { DirtyTables } from '../file/dirty-tables.ts';
import type { Allocator } from '../space/allocator.ts';
import type { Refcounts } from '../space/refcounts.ts';

/** Changed bytes of the L1 table, copied to be written. */
export interface L1Part {
  readonly at: number;
  readonly bytes: Uint8Array;
}

interface Making {
  readonly table: Promise<L2Table>;
  users: number;
}

/**
 * The L1 table of the active state and its L2 tables. An L2 table that is shared with a snapshot is copied before a
 * change.
 */
export class ActiveTables {
  readonly l1: L1Table;
  readonly l2: DirtyTables<L2Table>;
  readonly #l2Tables: L2Tables;
  readonly #geometry: Geometry;
  readonly #refcounts: Refcounts;
  readonly #allocator: Allocator;
  readonly #guard: OverlapGuard;
  readonly #making = new Map<number, Making>();
  /** The changed entries of the L1 table. */
  readonly #changed = new ChangedRange();

  constructor(parts: {
    readonly l1: L1Table;
    readonly l2Tables: L2Tables;
    readonly geometry: Geometry;
    readonly refcounts: Refcounts;
    readonly allocator: Allocator;
    readonly guard: OverlapGuard;
  }) {
    this.l1 = parts.l1;
    this.l2 = new DirtyTables(parts.l2Tables);
    this.#l2Tables = parts.l2Tables;
    this.#geometry = parts.geometry;
    this.#refcounts = parts.refcounts;
    this.#allocator = parts.allocator;
    this.#guard = parts.guard;
  }

  /** Entries of the L1 table. */
  get entries(): number {
    return this.l1.view.byteLength / 8;
  }

  get isClean(): boolean {
    return this.#changed.isEmpty && this.l2.isEmpty;
  }

  /** Byte of the L2 table of an L1 entry; 0 for none. */
  tableOffset(l1Index: number): number {
    if (l1Index >= this.entries) return 0;
    const { view, at } = this.l1;
    const offset = l2TableOffset(view.getUint32(l1Index * 8), view.getUint32(l1Index * 8 + 4));
    if (offset % this.#geometry.clusterSize === 0) return offset;
    throw new DiskError(
      'ERR_CORRUPT',
      `an L2 table at byte ${hex(offset)}, which is not a multiple of ${this.#geometry.clusterSize}`,
      {
        offset: at + l1Index * 8,
      },
    );
  }

  /** qcow2 spec, "L1 table entry", bit 63. */
  isCopied(l1Index: number): boolean {
    return isL1Copied(this.l1.view.getUint32(l1Index * 8));
  }

  /** The L2 table for reading; `undefined` when there is none. */
  table(l1Index: number): MaybePromise<L2Table> | undefined {
    const at = this.tableOffset(l1Index);
    return at === 0 ? undefined : this.#l2Tables.at(at, this.l1.at + l1Index * 8);
  }

  /** The L2 table for changing: created or copied when needed. It is held; the caller calls `l2.release`. */
  async writable(l1Index: number): Promise<L2Table> {
    const making = this.#making.get(l1Index) ?? this.#begin(l1Index);
    making.users++;
    return await making.table;
  }

  /** Holds the new table once for each waiting caller, before any of them can release it. */
  #begin(l1Index: number): Making {
    const table = this.#make(l1Index).then(
      (made) => {
        this.#making.delete(l1Index);
        for (let count = 0; count < making.users; count++) this.l2.hold(made);
        return made;
      },
      (error: unknown) => {
        this.#making.delete(l1Index);
        throw error;
      },
    );
    const making: Making = { table, users: 0 };
    this.#making.set(l1Index, making);
    return making;
  }

  async #make(l1Index: number): Promise<L2Table> {
    const old = this.table(l1Index);
    if (old === undefined) return await this.#place(l1Index, undefined);
    const table = await old;
    const cluster = table.at / this.#geometry.clusterSize;
    const refcount = await this.#refcounts.get(cluster);
    if (refcount === 1) return table;
    if (refcount === 0) {
      throw new DiskError('ERR_CORRUPT', 'an L2 table has refcount 0; repair the image', {
        offset: table.at,
      });
    }
    const own = await this.#place(l1Index, table);
    this.#allocator.give(cluster);
    return own;
  }

  /** Allocates a new table: empty, or a copy of `like`. */
  async #place(l1Index: number, like: L2Table | undefined): Promise<L2Table> {
    const { clusterSize, l2TableBytes } = this.#geometry;
    const [run] = await this.#allocator.allocate(1);
    const at = (run?.cluster ?? 0) * clusterSize;
    const bytes = new Uint8Array(l2TableBytes);
    if (like !== undefined) {
      const { buffer, byteOffset } = like.view;
      bytes.set(new Uint8Array(buffer, byteOffset, l2TableBytes));
    }
    const table = { view: new DataView(bytes.buffer), at };
    this.l2.forget(at);
    this.#guard.claim('an L2 table', at, l2TableBytes);
    this.l2.mark(table, 0, l2TableBytes);
    this.setEntry(l1Index, at, true);
    return table;
  }

  setEntry(l1Index: number, at: number, copied: boolean): void {
    putL1Entry(this.l1.view, l1Index, at, copied);
    this.#changed.add(l1Index, l1Index + 1);
  }

  /** Copies the changed entries of the L1 table, to be written. */
  takeL1(): L1Part | undefined {
    if (this.#changed.isEmpty) return undefined;
    const { view, at } = this.l1;
    const from = this.#changed.from * 8;
    const bytes = new Uint8Array(view.buffer, view.byteOffset + from, this.#changed.to * 8 - from).slice();
    this.#changed.clear();
    return { at: at + from, bytes };
  }

  putBackL1({ at, bytes }: L1Part): void {
    const from = (at - this.l1.at) / 8;
    this.#changed.add(from, from + bytes.length / 8);
  }

  /** Replaces the L1 table by one that is stored in the image. */
  replaceL1(view: DataView, at: number): void {
    this.l1.view = view;
    this.l1.at = at;
    this.#changed.clear();
  }
}
