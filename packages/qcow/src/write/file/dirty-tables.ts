import { roundUp, SECTOR } from '@diskstack/core/format';
import { ChangedRange } from './changed-range.ts';

/** A table of the image, held in memory as bytes. */
export interface Table {
  readonly view: DataView;
  /** Byte of the table in the image. */
  readonly at: number;
}

/** The changed bytes of a table, copied to be written. */
export interface DirtyPart<T extends Table> {
  readonly table: T;
  readonly from: number;
  readonly bytes: Uint8Array;
}

interface Held<T extends Table> {
  readonly table: T;
  /** The changed bytes. */
  readonly changed: ChangedRange;
  /** Number of callers that are about to change the table, or are writing it now. */
  holds: number;
}

/** The lookup of tables, which must return a pinned table instead of reading it from the image. */
export interface Pins<T extends Table> {
  pin(table: T): void;
  unpin(table: T): void;
  forget(at: number): void;
}

/**
 * The changed tables, and which bytes of them changed. A table that is held or dirty is pinned: every look-up returns
 * this object, so that there is one copy of each table and no change is lost.
 */
export class DirtyTables<T extends Table> {
  readonly #pins: Pins<T>;
  readonly #held = new Map<number, Held<T>>();
  /** Bytes of the tables that are held. */
  bytes = 0;

  constructor(pins: Pins<T>) {
    this.#pins = pins;
  }

  get isEmpty(): boolean {
    for (const held of this.#held.values()) if (!held.changed.isEmpty) return false;
    return true;
  }

  isDirty(at: number): boolean {
    const held = this.#held.get(at);
    return held !== undefined && !held.changed.isEmpty;
  }

  /** Keeps the table in memory until `release`. */
  hold(table: T): void {
    this.#of(table).holds++;
  }

  release(table: T): void {
    const held = this.#held.get(table.at);
    if (held === undefined || held.table !== table) return;
    held.holds--;
    this.#letGo(held);
  }

  /** Marks bytes `from` to `to` as changed, and the rest of their sectors: a disk writes a sector as a whole. */
  mark(table: T, from: number, to: number): void {
    const end = Math.min(table.view.byteLength, roundUp(to, SECTOR));
    this.#of(table).changed.add(from - (from % SECTOR), end);
  }

  /** Copies all changed bytes, to be written. Call `done` or `putBack` for the result. */
  take(): DirtyPart<T>[] {
    const parts: DirtyPart<T>[] = [];
    for (const held of this.#held.values()) {
      const { table, changed } = held;
      if (changed.isEmpty) continue;
      const { from, to } = changed;
      const { buffer, byteOffset } = table.view;
      parts.push({ table, from, bytes: new Uint8Array(buffer, byteOffset + from, to - from).slice() });
      changed.clear();
      held.holds++;
    }
    return parts;
  }

  done(parts: readonly DirtyPart<T>[]): void {
    for (const { table } of parts) this.release(table);
  }

  putBack(parts: readonly DirtyPart<T>[]): void {
    for (const { table, from, bytes } of parts) {
      if (this.#held.get(table.at)?.table === table) this.mark(table, from, from + bytes.length);
      this.release(table);
    }
  }

  /** Drops the table at this place, which is free now or holds another table. */
  forget(at: number): void {
    const held = this.#held.get(at);
    if (held !== undefined) {
      this.#held.delete(at);
      this.bytes -= held.table.view.byteLength;
    }
    this.#pins.forget(at);
  }

  /** Drops all tables: the on-disk image is authoritative. */
  clear(): void {
    for (const at of [...this.#held.keys()]) this.forget(at);
  }

  #of(table: T): Held<T> {
    let held = this.#held.get(table.at);
    if (held?.table !== table) {
      if (held !== undefined) this.forget(table.at);
      held = { table, changed: new ChangedRange(), holds: 0 };
      this.#held.set(table.at, held);
      this.bytes += table.view.byteLength;
      this.#pins.pin(table);
    }
    return held;
  }

  #letGo(held: Held<T>): void {
    if (held.holds > 0 || !held.changed.isEmpty) return;
    this.#held.delete(held.table.at);
    this.bytes -= held.table.view.byteLength;
    this.#pins.unpin(held.table);
  }
}
