/** Clusters of one page: few, because the references of a sparse image stand far apart. */
const PAGE = 128;

/**
 * How often each host cluster is referred to. Pages appear where something is counted, so that a sparse image of many
 * terabytes costs what its metadata is worth.
 */
export class ReferenceCounts {
  readonly #pages = new Map<number, Float64Array>();
  /** The page that was looked up last: neighbours are asked for one after the other. */
  #recent: readonly [number, Float64Array] | undefined;
  /** The highest cluster that is referred to; -1 without one. */
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

  /** Every cluster that is referred to. */
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
