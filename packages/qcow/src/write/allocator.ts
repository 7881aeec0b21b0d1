import { DiskError, roundUp } from '@diskstack/core';
import type { ImageFile } from './image-file.ts';
import { Mutex } from './mutex.ts';
import type { OverlapGuard } from './overlap-guard.ts';
import type { Refcounts } from './refcounts.ts';

/** Clusters next to each other. */
export interface Run {
  /** Number of the first one. */
  readonly cluster: number;
  readonly count: number;
}

/** Clusters that were taken. */
export interface TakenRun extends Run {
  /** They read as zeroes that nobody has written. */
  readonly isFresh: boolean;
}

/** qcow2 spec, "L2 table entry": host offsets have 56 bits; ours end where numbers do. */
const LAST_BYTE = 2 ** 53;

/**
 * Finds room in the image, and gives room back.
 *
 * A cluster that is taken has its refcount at once, in memory. One that is given back keeps it, and is nobody's, until
 * the image no longer refers to it: `settle` then makes it free.
 */
export class Allocator {
  /** Whatever changes refcounts runs in here, one after the other. */
  readonly mutex: Mutex = new Mutex();
  readonly #refcounts: Refcounts;
  readonly #guard: OverlapGuard;
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #maxTableBytes: number;
  /** No cluster before this one is free, as far as is known. */
  #hint = 0;
  /** Given back, and how often: to be settled. */
  #given = new Map<number, number>();
  /** Clusters of refcount 0 that may not be taken yet. */
  readonly #resting = new Set<number>();
  /** Where the next compressed cluster begins; 0 for nowhere. */
  #packAt = 0;

  constructor(
    refcounts: Refcounts,
    guard: OverlapGuard,
    file: ImageFile,
    limits: { readonly clusterSize: number; readonly maxTableBytes: number },
  ) {
    this.#refcounts = refcounts;
    this.#guard = guard;
    this.#file = file;
    this.#clusterSize = limits.clusterSize;
    this.#maxTableBytes = limits.maxTableBytes;
  }

  /** Takes `count` clusters: next to each other, unless the disk below is too full for that. */
  allocate(count: number): Promise<readonly TakenRun[]> {
    return this.mutex.run(async () => {
      const runs: TakenRun[] = [];
      let left = count;
      let most = count;
      try {
        while (left > 0) {
          const wanted = Math.min(left, most);
          const run = await this.#tryTake(wanted);
          if (run !== undefined) {
            runs.push(run);
            left -= wanted;
          } else if (wanted === 1) {
            throw this.#full();
          } else {
            most = Math.ceil(wanted / 2);
          }
        }
      } catch (error) {
        for (const run of runs) await this.#untake(run);
        throw error;
      }
      return runs;
    });
  }

  /** Takes `count` clusters next to each other, and answers the number of the first. For work inside of the mutex. */
  async take(count: number): Promise<number> {
    const run = await this.#tryTake(count);
    if (run === undefined) throw this.#full();
    return run.cluster;
  }

  #full(): DiskError {
    return new DiskError(
      'ERR_NO_SPACE',
      `the image is full: the disk below has ${this.#file.disk.size()} bytes`,
    );
  }

  async #tryTake(count: number): Promise<TakenRun | undefined> {
    const refcounts = this.#refcounts;
    for (;;) {
      let first = await this.#findRun(this.#hint, count);
      if (first === undefined) first = await this.#findRun(0, count);
      if (first === undefined) return undefined;
      const missing = this.#missingBlock(first, count);
      if (missing === undefined) {
        await this.#file.reach((first + count) * this.#clusterSize);
        await refcounts.take(first, count);
        this.#hint = first + count;
        const isFresh = this.#file.takeFresh(first * this.#clusterSize, count * this.#clusterSize);
        return { cluster: first, count, isFresh };
      }
      await this.#addBlock(missing, first);
    }
  }

  /** The first of `count` free clusters, from number `from` on. */
  async #findRun(from: number, count: number): Promise<number | undefined> {
    const { blockEntries } = this.#refcounts;
    const limit = Math.floor((this.#file.canGrow ? LAST_BYTE : this.#file.disk.size()) / this.#clusterSize);
    let first = from;
    let cluster = from;
    while (cluster < first + count) {
      if (first + count > limit) return undefined;
      const number = Math.floor(cluster / blockEntries);
      const found = this.#refcounts.block(number);
      const block = found instanceof Promise ? await found : found;
      const end = Math.min(first + count, (number + 1) * blockEntries);
      for (; cluster < end; cluster++) {
        const isTaken =
          (block !== undefined && this.#refcounts.at(block, cluster % blockEntries) !== 0) ||
          this.#guard.has(cluster) ||
          this.#resting.has(cluster);
        if (!isTaken) continue;
        first = cluster + 1;
        cluster++;
        break;
      }
    }
    return first;
  }

  /** The first block that is not there, of those that count these clusters. */
  #missingBlock(first: number, count: number): number | undefined {
    const { blockEntries } = this.#refcounts;
    const last = Math.floor((first + count - 1) / blockEntries);
    for (let index = Math.floor(first / blockEntries); index <= last; index++) {
      if (this.#refcounts.blockOffset(index) === 0) return index;
    }
    return undefined;
  }

  /** A block stands before the clusters that it is made for: counted by the block before it, or by itself. */
  async #addBlock(index: number, cluster: number): Promise<void> {
    if (index >= this.#refcounts.tableEntries) return await this.#growTable(index);
    await this.#file.reach((cluster + 1) * this.#clusterSize);
    this.#file.takeFresh(cluster * this.#clusterSize, this.#clusterSize);
    this.#refcounts.addBlock(index, cluster * this.#clusterSize);
    await this.#refcounts.take(cluster, 1);
  }

  /** A longer table at a new place, with room to spare; the old one is given back. */
  async #growTable(index: number): Promise<void> {
    const { table, tableEntries } = this.#refcounts;
    const old = { at: table.at, length: table.view.byteLength };
    const bytes = roundUp(Math.max(tableEntries * 1.5, index + 1 + 8) * 8, this.#clusterSize);
    if (bytes > this.#maxTableBytes) {
      throw new DiskError(
        'ERR_LIMIT',
        `a refcount table of ${bytes} bytes, maxRefcountTableBytes allows ${this.#maxTableBytes}`,
      );
    }
    this.#refcounts.resizeTable(bytes / 8);
    let cluster: number;
    try {
      cluster = await this.take(bytes / this.#clusterSize);
    } catch (error) {
      this.#refcounts.resizeTable(tableEntries); // without a place the table cannot have them
      throw error;
    }
    this.#refcounts.moveTable(cluster * this.#clusterSize);
    this.give(Math.floor(old.at / this.#clusterSize), Math.ceil(old.length / this.#clusterSize));
  }

  /** What was taken, and never referred to, is free again at once. */
  untake(run: Run): Promise<void> {
    return this.mutex.run(() => this.#untake(run));
  }

  async #untake({ cluster: first, count }: Run): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await this.#refcounts.add(cluster, -1)) === 0) this.#free(cluster);
    }
  }

  /** Gives back one reference to each of these clusters: it ends when `settle` is called for it. */
  give(first: number, count = 1): void {
    for (let cluster = first; cluster < first + count; cluster++) {
      this.#given.set(cluster, (this.#given.get(cluster) ?? 0) + 1);
    }
  }

  /** All that was given back and is not settled. It is the caller's from then on. */
  takeGiven(): ReadonlyMap<number, number> {
    const given = this.#given;
    this.#given = new Map();
    return given;
  }

  putBackGiven(given: ReadonlyMap<number, number>): void {
    for (const [cluster, times] of given) this.#given.set(cluster, (this.#given.get(cluster) ?? 0) + times);
  }

  /**
   * The image does not refer to these any more: their refcounts go down, in memory. Those that nobody refers to rest
   * until `wake` is called with them: somebody may still be reading there.
   */
  async settle(given: ReadonlyMap<number, number>): Promise<readonly number[]> {
    const freed: number[] = [];
    for (const [cluster, times] of given) {
      if ((await this.#refcounts.add(cluster, -times)) !== 0) continue;
      this.rest(cluster);
      this.#guard.drop(cluster);
      freed.push(cluster);
    }
    return freed;
  }

  /** A cluster of refcount 0 that may not be taken before it is woken. */
  rest(cluster: number): void {
    this.#resting.add(cluster);
    if (Math.floor(this.#packAt / this.#clusterSize) === cluster) this.#packAt = 0;
  }

  wake(clusters: readonly number[]): void {
    for (const cluster of clusters) {
      this.#resting.delete(cluster);
      this.#free(cluster);
    }
  }

  #free(cluster: number): void {
    this.#guard.drop(cluster);
    this.#hint = Math.min(this.#hint, cluster);
    if (Math.floor(this.#packAt / this.#clusterSize) === cluster) this.#packAt = 0;
  }

  /**
   * Room for a compressed cluster of `length` bytes: right after the one before, where there is room. Every cluster that
   * the bytes touch is counted once more.
   */
  allocateBytes(length: number): Promise<number> {
    return this.mutex.run(async () => {
      const size = this.#clusterSize;
      const shared = Math.floor(this.#packAt / size);
      const room = this.#packAt % size === 0 ? 0 : size - (this.#packAt % size);
      let at: number;
      if (room > 0 && (await this.#canShare(shared))) {
        if (length <= room) {
          await this.#refcounts.add(shared, 1);
          at = this.#packAt;
        } else {
          const next = await this.take(1);
          if (next === shared + 1) {
            await this.#refcounts.add(shared, 1);
            at = this.#packAt;
          } else {
            at = next * size;
          }
        }
      } else {
        at = (await this.take(1)) * size;
      }
      this.#packAt = at + length;
      return at;
    });
  }

  async #canShare(cluster: number): Promise<boolean> {
    const refcount = await this.#refcounts.get(cluster);
    return refcount > 0 && refcount < this.#refcounts.max;
  }

  /** Number of the last cluster in use, plus one. */
  async endOfUse(): Promise<number> {
    const refcounts = this.#refcounts;
    for (let index = refcounts.tableEntries - 1; index >= 0; index--) {
      const found = refcounts.block(index);
      const block = found instanceof Promise ? await found : found;
      if (block === undefined) continue;
      for (let entry = refcounts.blockEntries - 1; entry >= 0; entry--) {
        if (refcounts.at(block, entry) !== 0) return index * refcounts.blockEntries + entry + 1;
      }
    }
    return 0;
  }

  /** Refcounts that are too low go up. What is in use and was not counted is not taken meanwhile. */
  async raise(
    missing: readonly { readonly cluster: number; readonly change: number }[],
    step: () => void,
  ): Promise<void> {
    for (const { cluster } of missing) this.#resting.add(cluster);
    for (const { cluster, change } of missing) {
      await this.countable(cluster);
      await this.#refcounts.add(cluster, change);
      step();
    }
    for (const { cluster } of missing) this.#resting.delete(cluster);
  }

  /** Refcounts that are too high go down. */
  async lower(
    leaked: readonly { readonly cluster: number; readonly change: number }[],
    step: () => void,
  ): Promise<void> {
    for (const { cluster, change } of leaked) {
      if ((await this.#refcounts.add(cluster, change)) === 0) this.#free(cluster);
      step();
    }
  }

  /** There is a block that can count the cluster. */
  async countable(cluster: number): Promise<void> {
    const index = Math.floor(cluster / this.#refcounts.blockEntries);
    while (this.#refcounts.blockOffset(index) === 0) {
      const place = (await this.#findRun(this.#hint, 1)) ?? (await this.#findRun(0, 1));
      if (place === undefined) throw this.#full();
      const own = Math.floor(place / this.#refcounts.blockEntries);
      await this.#addBlock(this.#refcounts.blockOffset(own) === 0 ? own : index, place);
    }
  }

  /** Forgets what was found out and what was given back: the image has the truth. */
  reset(): void {
    this.#hint = 0;
    this.#packAt = 0;
    this.#given = new Map();
    this.#resting.clear();
  }
}
