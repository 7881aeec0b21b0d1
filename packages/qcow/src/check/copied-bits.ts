import { hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { isL1Copied, l2TableOffset } from '../layout/l1-entry.ts';
import { refcountAt } from '../layout/refcount.ts';
import type { Counting } from './counting.ts';
import type { StoredRefcounts } from './stored-refcounts.ts';

/** Bytes of a table handled before the loop yields to the event loop, if that is due. */
const BREATH = 32_768;

/** An entry whose COPIED bit is compared with a refcount. */
export interface CopiedEntry {
  /** Byte that the entry names. */
  readonly host: number;
  readonly copied: boolean;
  readonly what: string;
  readonly entryAt: number;
  /** Number of L1 entries that lead to this entry. */
  readonly times: number;
}

/** qcow2 spec, "L1 table entry" and "L2 table entry", bit 63: set exactly when the refcount is 1. */
export class CopiedBits {
  readonly #counting: Counting;
  readonly #stored: StoredRefcounts;

  constructor(counting: Counting, stored: StoredRefcounts) {
    this.#counting = counting;
    this.#stored = stored;
  }

  /** Checks an entry. A promise only when the refcount has to be read. */
  check(entry: CopiedEntry): void | Promise<void> {
    const { clusterSize, io } = this.#counting;
    const refcount = this.#stored.get(Math.floor(entry.host / clusterSize), io);
    if (refcount instanceof Promise) return refcount.then((loaded) => this.judge(entry, loaded));
    if (refcount !== undefined) this.judge(entry, refcount);
  }

  /**
   * Checks `count` entries that follow each other in their table and name clusters that follow each other in the file.
   * A promise only when refcounts have to be read.
   *
   * @param run the first of them
   */
  checkRun(run: CopiedEntry, count: number, entryBytes: number): void | Promise<void> {
    const { clusterSize, io } = this.#counting;
    const { blockEntries } = this.#stored;
    const cluster = run.host / clusterSize;
    const here = Math.min(count, blockEntries - (cluster % blockEntries));
    const entry = Math.floor(cluster / blockEntries);
    const block = this.#stored.isLost(entry) ? undefined : this.#stored.block(entry, io);
    if (block instanceof Promise) {
      return block.then((loaded) => {
        this.#judgeRun(run, here, entryBytes, loaded);
        return this.#checkRest(run, here, count, entryBytes);
      });
    }
    if (!this.#stored.isLost(entry)) this.#judgeRun(run, here, entryBytes, block);
    return this.#checkRest(run, here, count, entryBytes);
  }

  /** The entries of a run after the first `done`. */
  #checkRest(run: CopiedEntry, done: number, count: number, entryBytes: number): void | Promise<void> {
    if (done < count) return this.checkRun(this.#nth(run, done, entryBytes), count - done, entryBytes);
  }

  /** Judges entries whose refcounts are in one block. Without a block they are 0. */
  #judgeRun(run: CopiedEntry, count: number, entryBytes: number, block: DataView | undefined): void {
    const { blockEntries, refcountOrder } = this.#stored;
    const first = (run.host / this.#counting.clusterSize) % blockEntries;
    const { copied } = run;
    for (let index = 0; index < count; index++) {
      const refcount = block === undefined ? 0 : refcountAt(block, first + index, refcountOrder);
      if ((refcount === 1) !== copied) this.judge(this.#nth(run, index, entryBytes), refcount);
    }
  }

  #nth(run: CopiedEntry, index: number, entryBytes: number): CopiedEntry {
    const { clusterSize } = this.#counting;
    return {
      ...run,
      host: run.host + index * clusterSize,
      entryAt: run.entryAt + index * entryBytes,
    };
  }

  judge({ host, copied, what, entryAt, times }: CopiedEntry, refcount: number): void {
    if ((refcount === 1) === copied) return;
    const message = (): string =>
      `the COPIED bit of ${what} at byte ${hex(host)} is ${copied ? 1 : 0}, its refcount is ${refcount}`;
    this.#counting.findings.corruption(message, entryAt, times);
  }

  /** Checks the entries of the active L1 table. */
  async checkL2Tables(): Promise<void> {
    const { l1TableOffset, l1Size } = this.#counting.image.header;
    const table = await this.#counting.read(l1TableOffset, l1Size * 8, 'the L1 table');
    for (let position = 0; position < (table?.byteLength ?? 0); position += 8) {
      if (position % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      const hi = table?.getUint32(position) ?? 0;
      const host = l2TableOffset(hi, table?.getUint32(position + 4) ?? 0);
      const entryAt = l1TableOffset + position;
      if (host === 0) {
        if (isL1Copied(hi))
          this.#counting.findings.corruption(
            'the COPIED bit of an L1 entry that names no table is 1',
            entryAt,
          );
        continue;
      }
      const checking = this.check({ host, copied: isL1Copied(hi), what: 'an L2 table', entryAt, times: 1 });
      if (checking !== undefined) await checking;
    }
  }
}
