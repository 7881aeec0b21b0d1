/** Clusters in one page of the set. */
const PAGE = 65_536;

/** A set of cluster numbers, one bit each: discarding a disk of many terabytes frees many clusters. */
export class ClusterSet {
  readonly #pages = new Map<number, Uint8Array>();
  /** The lowest number; `Infinity` without one. */
  first: number = Number.POSITIVE_INFINITY;

  get isEmpty(): boolean {
    return this.#pages.size === 0;
  }

  add(cluster: number): void {
    this.first = Math.min(this.first, cluster);
    const number = Math.floor(cluster / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE / 8);
      this.#pages.set(number, page);
    }
    const index = cluster % PAGE;
    page[index >> 3] = (page[index >> 3] as number) | (1 << (index & 7));
  }

  /** The numbers of the set, in pages of ascending numbers. */
  *numbers(): Iterable<number> {
    for (const [number, page] of this.#pages) {
      for (let index = 0; index < PAGE; index++)
        if (((page[index >> 3] as number) & (1 << (index & 7))) !== 0) yield number * PAGE + index;
    }
  }

  has(cluster: number): boolean {
    const page = this.#pages.get(Math.floor(cluster / PAGE));
    const index = cluster % PAGE;
    return page !== undefined && ((page[index >> 3] as number) & (1 << (index & 7))) !== 0;
  }
}
