import { DiskError, type DiskModule } from '@diskstack/core';
import { LoadingCache, type MaybePromise, readFully } from '@diskstack/core/format';
import type { Geometry } from '../layout/geometry.ts';

/** An L2 table as bytes. Entries are decoded on demand. */
export interface L2Table {
  readonly view: DataView;
  /** Byte of the table in the image. */
  readonly at: number;
}

/** A table of the cache. */
interface CachedTable extends L2Table {
  /** The memory for another table when this one leaves the cache. Absent if callers may still wait for this table. */
  memory?: ArrayBuffer;
}

/** A cache of L2 tables, bounded in bytes. Concurrent misses of a table share one read. */
export class L2Tables {
  readonly #file: DiskModule;
  readonly #geometry: Geometry;
  readonly #cache: LoadingCache<CachedTable>;
  /** Memory for the next table. A walk of a large image reads gigabytes, and the collector of garbage is late. */
  #spare: ArrayBuffer | undefined;
  /** The table that was used last: most look-ups hit it. */
  #last: L2Table | undefined;
  /** Tables that a writer has changed, or is about to change: the stored bytes are out of date. */
  readonly #pinned = new Map<number, L2Table>();

  /**
   * @param reuses the memory of a table that leaves the cache is used for another one: callers use a table that is not
   *   a promise only before their next call
   */
  constructor(file: DiskModule, geometry: Geometry, cacheBytes: number, reuses: boolean) {
    this.#file = file;
    this.#geometry = geometry;
    this.#cache = new LoadingCache(cacheBytes, reuses ? (table) => this.#reuse(table) : undefined);
  }

  /**
   * The table at this byte of the image. A promise only when the table is not cached and the storage reads
   * asynchronously.
   *
   * @param entryAt byte of the L1 entry that names it, for errors
   */
  at(tableAt: number, entryAt: number): MaybePromise<L2Table> {
    const last = this.#last;
    if (last !== undefined && last.at === tableAt) return last;
    const cached = this.#pinned.get(tableAt) ?? this.#cache.peek(tableAt);
    if (cached !== undefined) {
      this.#last = cached;
      return cached;
    }
    return this.#cache.loading(tableAt) ?? this.#load(tableAt, entryAt);
  }

  /** Makes every look-up of this place return this table, until it is unpinned. */
  pin(table: L2Table): void {
    this.#pinned.set(table.at, table);
    if (this.#last?.at === table.at) this.#last = table;
  }

  /** The stored table is equal to this one now. */
  unpin(table: L2Table): void {
    if (this.#pinned.get(table.at) !== table) return;
    this.#pinned.delete(table.at);
    this.#cache.invalidate(table.at); // a load in flight has the old bytes
    this.#cache.put(table.at, table, this.#geometry.l2TableBytes);
  }

  /** Drops the table of a place that holds another table now, or none. */
  forget(tableAt: number): void {
    this.#pinned.delete(tableAt);
    this.#cache.invalidate(tableAt);
    if (this.#last?.at === tableAt) this.#last = undefined;
  }

  #load(tableAt: number, entryAt: number): MaybePromise<L2Table> {
    const { l2TableBytes } = this.#geometry;
    const end = this.#file.size();
    if (tableAt + l2TableBytes > end) {
      throw new DiskError(
        'ERR_TRUNCATED',
        `an L2 table from byte ${tableAt} to ${tableAt + l2TableBytes}, the file ends at ${end}`,
        { offset: entryAt },
      );
    }
    const bytes = new Uint8Array(this.#spare ?? new ArrayBuffer(l2TableBytes));
    this.#spare = undefined;
    const table: CachedTable = { view: new DataView(bytes.buffer), at: tableAt };
    const reading = readFully(this.#file, tableAt, bytes); // shared by callers, so no single signal aborts it
    if (reading !== undefined) {
      return this.#cache.adopt(
        tableAt,
        reading.then(() => table),
        l2TableBytes,
      );
    }
    table.memory = bytes.buffer;
    this.#cache.put(tableAt, table, l2TableBytes);
    this.#last = table;
    return table;
  }

  #reuse(table: CachedTable): void {
    if (table.memory === undefined) return;
    if (this.#last === table) this.#last = undefined;
    this.#spare = table.memory;
  }
}
