/** How a format stores a run of guest bytes. The methods of `ExtentList` explain the kinds. */
export type ExtentKind = 'data' | 'unplaced' | 'zero' | 'base' | 'compressed';

/** The value of `at` for an extent without a place. */
export const NOWHERE = -1;

/** Maximum disks that the extents of one mapping can be stored on, because a list keeps their numbers in 16 bits. */
export const MAX_SOURCES = 65_536;

/** Maximum extents in a list: enough for 32 MiB of 64 KiB clusters, small enough to keep a few lists for reuse. */
const CAPACITY = 512;

/**
 * Extents in guest order. A format fills the list, and the engine reads it.
 *
 * Every request fills and clears a list, so it stores numbers in typed arrays and allocates no object per extent. An added extent
 * that continues the last one is merged with it.
 */
export class ExtentList {
  /** Number of extents. */
  count = 0;
  /** Guest bytes covered. */
  covered = 0;
  readonly #kinds: ExtentKind[] = new Array<ExtentKind>(CAPACITY).fill('zero');
  readonly #lengths = new Float64Array(CAPACITY);
  readonly #ats = new Float64Array(CAPACITY);
  readonly #stored = new Float64Array(CAPACITY);
  readonly #skips = new Float64Array(CAPACITY);
  readonly #units = new Float64Array(CAPACITY);
  readonly #sources = new Uint16Array(CAPACITY);
  readonly #codecs = new Uint8Array(CAPACITY);

  /** True if the next extent may not fit. The format then stops; the engine calls it again for the rest. */
  get full(): boolean {
    return this.count >= CAPACITY;
  }

  clear(): void {
    this.count = 0;
    this.covered = 0;
  }

  /** Adds bytes that are stored unchanged at byte `at` of a source. `source` is its number in `Mapping.sources`. */
  data(length: number, at: number, source = 0): void {
    if (this.#continues('data', at, source)) this.#grow(length);
    else this.#push('data', length, at, source);
  }

  /**
   * Adds bytes that no file holds unchanged: they are in memory (inline data, a page of a replayed log), or computed from other
   * disks. They are read at byte `at` of a source and never decrypted. `extents()` reports them as data without a place.
   */
  unplaced(length: number, at: number, source: number): void {
    if (this.#continues('unplaced', at, source)) this.#grow(length);
    else this.#push('unplaced', length, at, source);
  }

  /** Adds bytes that read as zeroes. `at` is the place that is reserved for them, if any. */
  zero(length: number, at: number = NOWHERE, source = 0): void {
    if (this.#continues('zero', at, source)) this.#grow(length);
    else this.#push('zero', length, at, source);
  }

  /** Adds bytes that the base holds at the same guest offset. `at` is the place that is reserved for them here, if any. */
  base(length: number, at: number = NOWHERE, source = 0): void {
    if (this.#continues('base', at, source)) this.#grow(length);
    else this.#push('base', length, at, source);
  }

  /**
   * Adds `length` bytes that begin `skip` bytes into a compressed unit of `unit` decompressed bytes. The unit is stored at byte
   * `at` of the source, in at most `stored` bytes, as its stream may end earlier. `codec` is an index in `Mapping.codecs`.
   */
  compressed(
    length: number,
    at: number,
    stored: number,
    skip: number,
    unit: number,
    source = 0,
    codec = 0,
  ): void {
    const index = this.#push('compressed', length, at, source);
    this.#codecs[index] = codec;
    this.#stored[index] = stored;
    this.#skips[index] = skip;
    this.#units[index] = unit;
  }

  kind(index: number): ExtentKind {
    return this.#kinds[index] as ExtentKind;
  }
  length(index: number): number {
    return this.#lengths[index] as number;
  }
  at(index: number): number {
    return this.#ats[index] as number;
  }
  stored(index: number): number {
    return this.#stored[index] as number;
  }
  skip(index: number): number {
    return this.#skips[index] as number;
  }
  unit(index: number): number {
    return this.#units[index] as number;
  }

  source(index: number): number {
    return this.#sources[index] as number;
  }
  codec(index: number): number {
    return this.#codecs[index] as number;
  }

  #continues(kind: ExtentKind, at: number, source: number): boolean {
    const last = this.count - 1;
    if (last < 0 || this.#kinds[last] !== kind || this.#sources[last] !== source) return false;
    const lastAt = this.#ats[last] as number;
    return at === NOWHERE
      ? lastAt === NOWHERE
      : lastAt !== NOWHERE && lastAt + (this.#lengths[last] as number) === at;
  }

  #grow(length: number): void {
    const last = this.count - 1;
    this.#lengths[last] = (this.#lengths[last] as number) + length;
    this.covered += length;
  }

  #push(kind: ExtentKind, length: number, at: number, source: number): number {
    const index = this.count++;
    this.#kinds[index] = kind;
    this.#lengths[index] = length;
    this.#ats[index] = at;
    this.#sources[index] = source;
    this.covered += length;
    return index;
  }
}
