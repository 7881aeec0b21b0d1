/** Clusters of one page. Few, because the references of a sparse image are far apart. */
export const PAGE = 128;
/** Pages of one chunk. */
const CHUNK = 512;

/** The counts of some pages, one after the other. The narrowest array that holds them all: most counts are 0 or 1. */
type Chunk = Uint8Array | Uint16Array | Float64Array;

/**
 * The number of references to each host cluster. Pages are allocated on demand, so the memory for a sparse image of
 * many terabytes follows its metadata: a byte for each cluster, and more where clusters have more references.
 */
export class ReferenceCounts {
  /** The place of each page in the chunks. Pages are in the order of their first reference. */
  readonly #places = new Map<number, number>();
  readonly #chunks: Chunk[] = [];
  /** The page that was used last, and its place: neighbours are counted one after the other. */
  #recentPage = -1;
  #recentPlace = 0;
  /** The highest cluster with a reference; -1 for none. */
  last = -1;

  /** Adds `times` to every cluster from number `first` to number `last`. */
  add(first: number, last: number, times: number): void {
    for (let cluster = first; cluster <= last; ) {
      const page = Math.floor(cluster / PAGE);
      const from = cluster - page * PAGE;
      const to = Math.min(PAGE, last + 1 - page * PAGE);
      this.#addToPage(this.#find(page) ?? this.#create(page), from, to, times);
      cluster += to - from;
    }
    this.last = Math.max(this.last, last);
  }

  get(cluster: number): number {
    const page = Math.floor(cluster / PAGE);
    const place = this.#find(page);
    if (place === undefined) return 0;
    const chunk = this.#chunks[Math.floor(place / CHUNK)] as Chunk;
    return chunk[(place % CHUNK) * PAGE + cluster - page * PAGE] as number;
  }

  /** The counts of the `PAGE` clusters from a multiple of `PAGE` on; `undefined` when all are 0. */
  page(first: number): Chunk | undefined {
    const place = this.#find(first / PAGE);
    if (place === undefined) return undefined;
    const start = (place % CHUNK) * PAGE;
    return (this.#chunks[Math.floor(place / CHUNK)] as Chunk).subarray(start, start + PAGE);
  }

  /** The first cluster of every page with a reference, in the order of the first reference to the page. */
  *pages(): Iterable<number> {
    for (const page of this.#places.keys()) yield page * PAGE;
  }

  /** Every cluster with a reference, page by page. */
  *referenced(): Iterable<number> {
    for (const first of this.pages()) {
      for (let cluster = first; cluster < first + PAGE; cluster++) {
        if (this.get(cluster) !== 0) yield cluster;
      }
    }
  }

  #addToPage(place: number, from: number, to: number, times: number): void {
    const number = Math.floor(place / CHUNK);
    const start = (place % CHUNK) * PAGE;
    let chunk = this.#chunks[number] as Chunk;
    let most = highest(chunk);
    for (let index = start + from; index < start + to; index++) {
      const sum = (chunk[index] as number) + times;
      if (sum > most) {
        chunk = widened(chunk, sum);
        most = highest(chunk);
        this.#chunks[number] = chunk;
      }
      chunk[index] = sum;
    }
  }

  #find(page: number): number | undefined {
    if (this.#recentPage === page) return this.#recentPlace;
    const place = this.#places.get(page);
    if (place !== undefined) {
      this.#recentPage = page;
      this.#recentPlace = place;
    }
    return place;
  }

  #create(page: number): number {
    const place = this.#places.size;
    if (place % CHUNK === 0) this.#chunks.push(new Uint8Array(CHUNK * PAGE));
    this.#places.set(page, place);
    this.#recentPage = page;
    this.#recentPlace = place;
    return place;
  }
}

/** The highest count that an element can hold. */
function highest(chunk: Chunk): number {
  switch (chunk.BYTES_PER_ELEMENT) {
    case 1:
      return 0xff;
    case 2:
      return 0xffff;
    default:
      return Number.MAX_VALUE;
  }
}

/** The same counts, in an array that can hold `count` as well. */
function widened(chunk: Chunk, count: number): Chunk {
  return count <= 0xffff ? new Uint16Array(chunk) : new Float64Array(chunk);
}
