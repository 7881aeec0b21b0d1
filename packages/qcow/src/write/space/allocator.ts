import { breathe, DiskError } from '@diskstack/core';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { Mutex } from '../async/mutex.ts';
import type { ImageFile } from '../file/image-file.ts';
import { ClusterSet } from './cluster-set.ts';
import { FreeClusters } from './free-clusters.ts';
import { addBlock, type GrowthContext, missingBlock } from './refcount-growth.ts';
import type { Refcounts } from './refcounts.ts';
import { StreamPacker } from './stream-packer.ts';

/** Clusters between two looks at the clock. */
const BREATH = 256;

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

/** The refcount that a cluster is to have. */
export interface Correction {
  readonly cluster: number;
  readonly refcount: number;
}

/**
 * Takes room in the image, and gives room back.
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
  readonly #free: FreeClusters;
  readonly #packer: StreamPacker;
  readonly #growth: GrowthContext;
  /** What was in use and is free by the work of this writer. */
  readonly #freed = new ClusterSet();
  /** Given back, and how often: to be settled. */
  #given = new Map<number, number>();

  constructor(
    refcounts: Refcounts,
    guard: OverlapGuard,
    file: ImageFile,
    { clusterSize, maxTableBytes }: { readonly clusterSize: number; readonly maxTableBytes: number },
  ) {
    this.#refcounts = refcounts;
    this.#guard = guard;
    this.#file = file;
    this.#clusterSize = clusterSize;
    this.#free = new FreeClusters(refcounts, guard, file, clusterSize);
    this.#packer = new StreamPacker(refcounts, clusterSize, () => this.take(1));
    this.#growth = {
      refcounts,
      file,
      clusterSize,
      maxTableBytes,
      take: (count) => this.take(count),
      give: (first, count) => this.give(first, count),
    };
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
    for (;;) {
      const first = await this.#free.find(count);
      if (first === undefined) return undefined;
      const missing = missingBlock(this.#refcounts, first, count);
      if (missing !== undefined) {
        await addBlock(this.#growth, missing, first);
        continue;
      }
      await this.#file.reach((first + count) * this.#clusterSize);
      await this.#refcounts.take(first, count);
      this.#free.continueAt(first + count);
      const isFresh = this.#file.takeFresh(first * this.#clusterSize, count * this.#clusterSize);
      return { cluster: first, count, isFresh };
    }
  }

  /** Room for a compressed cluster of `length` bytes, packed behind the one before: answers its first byte. */
  allocateBytes(length: number): Promise<number> {
    return this.mutex.run(() => this.#packer.place(length));
  }

  /** What was taken, and never referred to, is free again at once. */
  untake(run: Run): Promise<void> {
    return this.mutex.run(() => this.#untake(run));
  }

  async #untake({ cluster: first, count }: Run): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await this.#refcounts.add(cluster, -1)) === 0) this.#setFree(cluster);
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
  async applyDecrements(given: ReadonlyMap<number, number>): Promise<readonly number[]> {
    const freed: number[] = [];
    let looked = 0;
    for (const [cluster, times] of given) {
      if (looked++ % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      if ((await this.#refcounts.add(cluster, -times)) !== 0) continue;
      this.quarantine(cluster);
      this.#guard.drop(cluster);
      freed.push(cluster);
    }
    return freed;
  }

  /** A cluster of refcount 0 that may not be taken before it is woken. */
  quarantine(cluster: number): void {
    this.#free.quarantine(cluster);
    this.#packer.leave(cluster);
  }

  release(clusters: readonly number[]): void {
    for (const cluster of clusters) {
      this.#free.release(cluster);
      this.#setFree(cluster);
      this.#freed.add(cluster);
    }
  }

  #setFree(cluster: number): void {
    this.#free.add(cluster);
    this.#packer.leave(cluster);
  }

  /** Looks for room again from the first cluster on that this writer has given back. */
  lookFromFreed(): void {
    if (!this.#freed.isEmpty) this.#free.continueAt(this.#freed.first);
  }

  /** The first cluster that this writer has given back. */
  get firstFreed(): number {
    return this.#freed.first;
  }

  /** Something was given back by this writer. */
  get hasFreedAny(): boolean {
    return !this.#freed.isEmpty;
  }

  /** The cluster was given back by this writer, and may have been taken again. */
  hasFreed(cluster: number): boolean {
    return this.#freed.has(cluster);
  }

  /** Refcounts that are too low go up. What is in use and was not counted is not taken meanwhile. */
  async raise(missing: readonly Correction[], step: () => void): Promise<void> {
    for (const { cluster } of missing) this.#free.quarantine(cluster);
    for (const [index, { cluster, refcount }] of missing.entries()) {
      if (index % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      await this.#makeCountable(cluster);
      await this.#refcounts.set(cluster, refcount);
      step();
    }
    for (const { cluster } of missing) this.#free.release(cluster); // aborted, they stay untouched
  }

  /** Refcounts that are too high go down. */
  async lower(leaked: readonly Correction[], step: () => void): Promise<void> {
    for (const [index, { cluster, refcount }] of leaked.entries()) {
      if (index % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      await this.#refcounts.set(cluster, refcount);
      if (refcount === 0) {
        this.#setFree(cluster);
        this.#freed.add(cluster);
      }
      step();
    }
  }

  /** There is a block that can count the cluster then. */
  async #makeCountable(cluster: number): Promise<void> {
    const index = Math.floor(cluster / this.#refcounts.blockEntries);
    while (this.#refcounts.blockOffset(index) === 0) {
      const place = await this.#free.find(1);
      if (place === undefined) throw this.#full();
      const own = Math.floor(place / this.#refcounts.blockEntries);
      await addBlock(this.#growth, this.#refcounts.blockOffset(own) === 0 ? own : index, place);
    }
  }

  /** Forgets what was found out and what was given back: the image has the truth. */
  reset(): void {
    this.#free.reset();
    this.#packer.reset();
    this.#given = new Map();
  }
}
