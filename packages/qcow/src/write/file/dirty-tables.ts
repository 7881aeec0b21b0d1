/** A table of the image, held in memory as bytes. */
export interface Table {
  readonly view: DataView;
  /** Byte of the table in the image. */
  readonly at: number;
}

/** A part of a table, as it stood when it was taken to be written. */
export interface DirtyPart<T extends Table> {
  readonly table: T;
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** Bytes that reach a disk together. */
const SECTOR = 512;

interface Held<T extends Table> {
  readonly table: T;
  /** The bytes that the image does not have: none when `from` is `to`. */
  from: number;
  to: number;
  /** Those who are about to change the table, or are writing it now. */
  holds: number;
}

/** Where tables are found that must not be read from the image. */
export interface Pins<T extends Table> {
  pin(table: T): void;
  unpin(table: T): void;
  forget(at: number): void;
}

/**
 * The tables that differ from the image, with the bytes that differ. What is held or dirty is pinned: whoever looks the
 * table up gets this one, so that there is one of each and no change is lost.
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
    for (const held of this.#held.values()) if (held.from < held.to) return false;
    return true;
  }

  isDirty(at: number): boolean {
    const held = this.#held.get(at);
    return held !== undefined && held.from < held.to;
  }

  /** The table stays in memory until it is released. */
  hold(table: T): void {
    this.#of(table).holds++;
  }

  release(table: T): void {
    const held = this.#held.get(table.at);
    if (held === undefined || held.table !== table) return;
    held.holds--;
    this.#letGo(held);
  }

  /** The bytes `from` to `to` have changed. */
  mark(table: T, from: number, to: number): void {
    const held = this.#of(table);
    const [first, end] = [
      from - (from % SECTOR),
      Math.min(table.view.byteLength, Math.ceil(to / SECTOR) * SECTOR),
    ];
    if (held.from === held.to) [held.from, held.to] = [first, end];
    else [held.from, held.to] = [Math.min(held.from, first), Math.max(held.to, end)];
  }

  /** Copies of all that is dirty, to be written; `done` or `putBack` ends it for each. */
  take(): DirtyPart<T>[] {
    const parts: DirtyPart<T>[] = [];
    for (const held of this.#held.values()) {
      if (held.from === held.to) continue;
      const { table, from, to } = held;
      const { buffer, byteOffset } = table.view;
      parts.push({ table, from, bytes: new Uint8Array(buffer, byteOffset + from, to - from).slice() });
      held.from = held.to;
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

  /** The place is free, or holds another table. */
  forget(at: number): void {
    const held = this.#held.get(at);
    if (held !== undefined) {
      this.#held.delete(at);
      this.bytes -= held.table.view.byteLength;
    }
    this.#pins.forget(at);
  }

  /** Forgets everything: the image has the truth. */
  clear(): void {
    for (const at of [...this.#held.keys()]) this.forget(at);
  }

  #of(table: T): Held<T> {
    let held = this.#held.get(table.at);
    if (held?.table !== table) {
      if (held !== undefined) this.forget(table.at);
      held = { table, from: 0, to: 0, holds: 0 };
      this.#held.set(table.at, held);
      this.bytes += table.view.byteLength;
      this.#pins.pin(table);
    }
    return held;
  }

  #letGo(held: Held<T>): void {
    if (held.holds > 0 || held.from < held.to) return;
    this.#held.delete(held.table.at);
    this.bytes -= held.table.view.byteLength;
    this.#pins.unpin(held.table);
  }
}
