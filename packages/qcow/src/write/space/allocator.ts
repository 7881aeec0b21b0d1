import { DiskError, type Limits } from '@diskstack/core';
import { breathe, Mutex } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import type { ImageFile } from '../file/image-file.ts';
import { ClusterSet } from './cluster-set.ts';
import { FreeClusters } from './free-clusters.ts';
import { addBlock, type GrowthContext, missingBlock } from './refcount-growth.ts';
import type { Refcounts } from './refcounts.ts';
import { StreamPacker } from './stream-packer.ts';

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 256;

/** Contiguous clusters. */
export interface Run {
  /** Number of the first one. */
  readonly cluster: number;
  readonly count: number;
}

/** Allocated clusters. */
export interface TakenRun extends Run {
  /** The clusters have never been written, and read as zeroes. */
  readonly isFresh: boolean;
}

/** A cluster and its correct refcount. */
export interface Correction {
  readonly cluster: number;
  readonly refcount: number;
}

/**
 * Allocates and frees clusters of the image.
 *
 * An allocated cluster is counted immediately, in memory. A cluster that was given back keeps its refcount until the
 * image no longer refers to it: then `applyDecrements` lowers the refcount.
 */
export class Allocator {
  /** Serialises everything that changes refcounts. */
  readonly mutex: Mutex = new Mutex();
  readonly #refcounts: Refcounts;
  readonly #guard: OverlapGuard;
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #free: FreeClusters;
  readonly #packer: StreamPacker;
  readonly #growth: GrowthContext;
  /** Clusters that this writer has freed. */
  readonly #freed = new ClusterSet();
  /** Clusters that were given back, each with the number of references; their refcounts are not lowered yet. */
  #given = new Map<number, number>();

  constructor(
    refcounts: Refcounts,
    guard: OverlapGuard,
    file: ImageFile,
    { clusterSize, limits }: { readonly clusterSize: number; readonly limits: Limits },
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
      limits,
      take: (count) => this.take(count),
      give: (first, count) => this.give(first, count),
    };
  }

  /** Allocates `count` clusters: one contiguous run, or several when the disk below is too full for that. */
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

  /** Allocates `count` contiguous clusters and returns the number of the first. The caller holds the mutex. */
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

  /** Allocates `length` bytes for a compressed cluster, directly after the last one. Returns their first byte. */
  allocateBytes(length: number): Promise<number> {
    return this.mutex.run(() => this.#packer.place(length));
  }

  /** Frees clusters that nothing has referred to yet. They can be allocated again immediately. */
  untake(run: Run): Promise<void> {
    return this.mutex.run(() => this.#untake(run));
  }

  async #untake({ cluster: first, count }: Run): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await this.#refcounts.add(cluster, -1)) === 0) this.#setFree(cluster);
    }
  }

  /** Gives back one reference to each of these clusters. `applyDecrements` lowers the refcounts later. */
  give(first: number, count = 1): void {
    for (let cluster = first; cluster < first + count; cluster++) {
      this.#given.set(cluster, (this.#given.get(cluster) ?? 0) + 1);
    }
  }

  /** Clusters with references that were given back and are not applied yet. */
  get clustersGiven(): number {
    return this.#given.size;
  }

  /** Returns all references that were given back, and forgets them: the caller applies them or puts them back. */
  takeGiven(): ReadonlyMap<number, number> {
    const given = this.#given;
    this.#given = new Map();
    return given;
  }

  putBackGiven(given: ReadonlyMap<number, number>): void {
    for (const [cluster, times] of given) this.#given.set(cluster, (this.#given.get(cluster) ?? 0) + times);
  }

  /**
   * Lowers the refcounts of clusters that the image no longer refers to, in memory. Clusters that reach 0 are
   * quarantined until `release`, because a read in flight may still use them.
   *
   * @returns the quarantined clusters
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

  /** Keeps a cluster of refcount 0 from being allocated before `release`. */
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

  /** Restarts the search for free clusters at the first one that this writer has freed. */
  lookFromFreed(): void {
    if (!this.#freed.isEmpty) this.#free.continueAt(this.#freed.first);
  }

  /** The first cluster that this writer has freed. */
  get firstFreed(): number {
    return this.#freed.first;
  }

  /** Whether this writer has freed any cluster. */
  get hasFreedAny(): boolean {
    return !this.#freed.isEmpty;
  }

  /** The clusters that this writer has freed, some of which may be allocated again. */
  freedClusters(): Iterable<number> {
    return this.#freed.numbers();
  }

  /** Whether this writer has freed the cluster. It may have been allocated again since. */
  hasFreed(cluster: number): boolean {
    return this.#freed.has(cluster);
  }

  /** Raises refcounts that are too low. The clusters are quarantined meanwhile: they are in use though not counted. */
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
    for (const { cluster } of missing) this.#free.release(cluster); // after an error they stay quarantined
  }

  /** Lowers refcounts that are too high. */
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

  /** Makes sure that a refcount block for the cluster exists. */
  async #makeCountable(cluster: number): Promise<void> {
    const index = Math.floor(cluster / this.#refcounts.blockEntries);
    while (this.#refcounts.blockOffset(index) === 0) {
      const place = await this.#free.find(1);
      if (place === undefined) throw this.#full();
      const own = Math.floor(place / this.#refcounts.blockEntries);
      await addBlock(this.#growth, this.#refcounts.blockOffset(own) === 0 ? own : index, place);
    }
  }

  /** Drops all state in memory: the on-disk image is authoritative. */
  reset(): void {
    this.#free.reset();
    this.#packer.reset();
    this.#given = new Map();
  }
}
