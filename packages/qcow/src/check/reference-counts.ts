/** Clusters of one page. Few, because the references of a sparse image are far apart. */
const PAGE = 128;

/**
 * The number of references to each host cluster. Pages are allocated on demand, so the memory for a sparse image of
 * many terabytes follows its metadata.
 */
export class ReferenceCounts {
  readonly #pages = new Map<number, Float64Array>();
  /** The page that was used last: neighbours are counted one after the other. */
  #recent: readonly [number, Float64Array] | undefined;
  /** The highest cluster with a reference; -1 for none. */
  last = -1;

  /** Adds `times` to every cluster from number `first` to number `last`. */
  add(first: number, last: number, times: number): void {
    for (let cluster = first; cluster <= last; cluster++) {
      const page = this.#page(Math.floor(cluster / PAGE));
      page[cluster % PAGE] = (page[cluster % PAGE] as number) + times;
    }
    this.last = Math.max(this.last, last);
  }

  get(cluster: number): number {
    return this.#pages.get(Math.floor(cluster / PAGE))?.[cluster % PAGE] ?? 0;
  }

  /** Every cluster with a reference. */
  *referenced(): Iterable<number> {
    for (const [number, page] of this.#pages) {
      for (let index = 0; index < PAGE; index++) {
        if (page[index] !== 0) yield number * PAGE + index;
      }
    }
  }

  #page(number: number): Float64Array {
    if (this.#recent?.[0] === number) return this.#recent[1];
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Float64Array(PAGE);
      this.#pages.set(number, page);
    }
    this.#recent = [number, page];
    return page;
  }
}
