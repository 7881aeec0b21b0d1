import type { Refcounts } from './refcounts.ts';

/**
 * Packs compressed clusters: each begins directly after the previous one where possible. The refcount of every host
 * cluster that it touches is raised by one.
 */
export class StreamPacker {
  readonly #refcounts: Refcounts;
  readonly #clusterSize: number;
  /** Allocates one cluster. */
  readonly #take: () => Promise<number>;
  /** The byte after the last compressed cluster; 0 when the next one needs a new host cluster. */
  #next = 0;

  constructor(refcounts: Refcounts, clusterSize: number, take: () => Promise<number>) {
    this.#refcounts = refcounts;
    this.#clusterSize = clusterSize;
    this.#take = take;
  }

  /** Allocates `length` bytes, at most a cluster, and returns the first byte. */
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

  /** The cluster was freed: nothing more is packed into it. */
  leave(cluster: number): void {
    if (Math.floor(this.#next / this.#clusterSize) === cluster) this.#next = 0;
  }

  reset(): void {
    this.#next = 0;
  }
}
