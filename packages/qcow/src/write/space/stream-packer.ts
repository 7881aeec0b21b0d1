import type { Refcounts } from './refcounts.ts';

/**
 * Packs compressed clusters: each begins right after the one before, where there is room. Every cluster that the bytes
 * touch is counted once more.
 */
export class StreamPacker {
  readonly #refcounts: Refcounts;
  readonly #clusterSize: number;
  /** Takes one cluster. */
  readonly #take: () => Promise<number>;
  /** Where the next one begins; 0 for nowhere. */
  #next = 0;

  constructor(refcounts: Refcounts, clusterSize: number, take: () => Promise<number>) {
    this.#refcounts = refcounts;
    this.#clusterSize = clusterSize;
    this.#take = take;
  }

  /** Room for `length` bytes, at most a cluster of them: answers the byte where they begin. */
  async place(length: number): Promise<number> {
    const size = this.#clusterSize;
    const shared = Math.floor(this.#next / size);
    const room = this.#next % size === 0 ? 0 : size - (this.#next % size);
    let at: number;
    if (room > 0 && (await this.#canShare(shared))) {
      if (length <= room) {
        await this.#refcounts.add(shared, 1);
        at = this.#next;
      } else {
        const next = await this.#take();
        if (next === shared + 1) {
          await this.#refcounts.add(shared, 1);
          at = this.#next;
        } else {
          at = next * size;
        }
      }
    } else {
      at = (await this.#take()) * size;
    }
    this.#next = at + length;
    return at;
  }

  async #canShare(cluster: number): Promise<boolean> {
    const refcount = await this.#refcounts.get(cluster);
    return refcount > 0 && refcount < this.#refcounts.max;
  }

  /** The cluster is nobody's: nothing more is packed into it. */
  leave(cluster: number): void {
    if (Math.floor(this.#next / this.#clusterSize) === cluster) this.#next = 0;
  }

  reset(): void {
    this.#next = 0;
  }
}
