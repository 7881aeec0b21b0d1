import { DiskError, type DiskModule, LoadingCache, readFully } from '@diskstack/core';
import type { Geometry } from '../layout/geometry.ts';

/** An L2 table, as bytes: entries are decoded on demand. */
export interface L2Table {
  readonly view: DataView;
  /** Byte of the table in the image. */
  readonly at: number;
}

/** The L2 tables in use, bounded in bytes. Concurrent misses of a table share one read. */
export class L2Tables {
  readonly #file: DiskModule;
  readonly #geometry: Geometry;
  readonly #cache: LoadingCache<L2Table>;
  /** The table that was asked for last: most requests stay in it. */
  #last: L2Table | undefined;
  /** Tables that a writer has changed, or is about to: what the image has in their places is old. */
  readonly #pinned = new Map<number, L2Table>();

  constructor(file: DiskModule, geometry: Geometry, cacheBytes: number) {
    this.#file = file;
    this.#geometry = geometry;
    this.#cache = new LoadingCache(cacheBytes);
  }

  /**
   * The table at this byte of the image: at once when it is cached, or when the storage can read it at once.
   *
   * @param entryAt byte of the L1 entry that names it, for errors
   */
  at(tableAt: number, entryAt: number): L2Table | Promise<L2Table> {
    const last = this.#last;
    if (last !== undefined && last.at === tableAt) return last;
    const cached = this.#pinned.get(tableAt) ?? this.#cache.peek(tableAt);
    if (cached !== undefined) {
      this.#last = cached;
      return cached;
    }
    return this.#cache.loading(tableAt) ?? this.#load(tableAt, entryAt);
  }

  /** From now on this is the table at its place, until it is unpinned. */
  pin(table: L2Table): void {
    this.#pinned.set(table.at, table);
    if (this.#last?.at === table.at) this.#last = table;
  }

  /** The image has the table as it is now. */
  unpin(table: L2Table): void {
    if (this.#pinned.get(table.at) !== table) return;
    this.#pinned.delete(table.at);
    this.#cache.invalidate(table.at); // a load that began before has the old bytes
    this.#cache.put(table.at, table, this.#geometry.l2TableBytes);
  }

  /** The place holds another table from now on, or none. */
  forget(tableAt: number): void {
    this.#pinned.delete(tableAt);
    this.#cache.invalidate(tableAt);
    if (this.#last?.at === tableAt) this.#last = undefined;
  }

  #load(tableAt: number, entryAt: number): L2Table | Promise<L2Table> {
    const { l2TableBytes } = this.#geometry;
    const end = this.#file.size();
    if (tableAt + l2TableBytes > end) {
      throw new DiskError(
        'ERR_TRUNCATED',
        `an L2 table from byte ${tableAt} to ${tableAt + l2TableBytes}, the file ends at ${end}`,
        { offset: entryAt },
      );
    }
    const bytes = new Uint8Array(l2TableBytes);
    const table = { view: new DataView(bytes.buffer), at: tableAt };
    const reading = readFully(this.#file, tableAt, bytes); // shared, so no single caller's signal ends it
    if (reading !== undefined) {
      return this.#cache.adopt(
        tableAt,
        reading.then(() => table),
        l2TableBytes,
      );
    }
    this.#cache.put(tableAt, table, l2TableBytes);
    this.#last = table;
    return table;
  }
}
