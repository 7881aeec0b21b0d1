import { breathe } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import type { ImageFile } from '../file/image-file.ts';
import type { Refcounts } from './refcounts.ts';

/**
 * qcow2 spec, "L2 table entry": host offsets have 56 bits. This implementation ends at 2^53, where numbers are exact.
 */
const LAST_BYTE = 2 ** 53;

/** Finds clusters that can be allocated: refcount 0, no metadata, and no read in flight that may use them. */
export class FreeClusters {
  readonly #refcounts: Refcounts;
  readonly #guard: OverlapGuard;
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  /** Where the search begins: no free cluster is known before this one. */
  #hint = 0;
  /** Clusters of refcount 0 that may not be allocated yet. */
  readonly #quarantined = new Set<number>();

  constructor(refcounts: Refcounts, guard: OverlapGuard, file: ImageFile, clusterSize: number) {
    this.#refcounts = refcounts;
    this.#guard = guard;
    this.#file = file;
    this.#clusterSize = clusterSize;
  }

  /** The first of `count` contiguous free clusters; `undefined` when the disk below is too full. */
  async find(count: number): Promise<number | undefined> {
    const first = await this.#findFrom(this.#hint, count);
    return first ?? (await this.#findFrom(0, count));
  }

  async #findFrom(from: number, count: number): Promise<number | undefined> {
    const { blockEntries } = this.#refcounts;
    const limit = Math.floor((this.#file.canGrow ? LAST_BYTE : this.#file.disk.size()) / this.#clusterSize);
    let first = from;
    let cluster = from;
    while (cluster < first + count) {
      if (first + count > limit) return undefined;
      const number = Math.floor(cluster / blockEntries);
      const pause = breathe();
      if (pause !== undefined) await pause;
      const found = this.#refcounts.block(number);
      const block = found instanceof Promise ? await found : found;
      const end = Math.min(first + count, (number + 1) * blockEntries);
      for (; cluster < end; cluster++) {
        const isTaken =
          (block !== undefined && this.#refcounts.at(block, cluster % blockEntries) !== 0) ||
          this.#guard.has(cluster) ||
          this.#quarantined.has(cluster);
        if (!isTaken) continue;
        first = cluster + 1;
        cluster++;
        break;
      }
    }
    return first;
  }

  /** Continues the next search at this cluster. */
  continueAt(cluster: number): void {
    this.#hint = cluster;
  }

  /** Adds a cluster whose refcount has become 0. */
  add(cluster: number): void {
    this.#guard.drop(cluster);
    this.#hint = Math.min(this.#hint, cluster);
  }

  /** The cluster is not found, whatever its refcount, until it is released. */
  quarantine(cluster: number): void {
    this.#quarantined.add(cluster);
  }

  release(cluster: number): void {
    this.#quarantined.delete(cluster);
  }

  /** Searches from the start again. Quarantined clusters stay so: reads may be in flight there. */
  reset(): void {
    this.#hint = 0;
  }
}
