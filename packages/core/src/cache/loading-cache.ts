interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
}

/**
 * A least-recently-used cache, bounded in bytes. Concurrent misses of a key share one load. Keys are numbers, usually offsets.
 */
export class LoadingCache<V> {
  readonly #maxBytes: number;
  readonly #dropped: ((value: V) => void) | undefined;
  readonly #entries = new Map<number, Entry<V>>();
  readonly #loading = new Map<number, Promise<V>>();
  #bytes = 0;
  #generation = 0;

  /** @param dropped is called with each value that has to make room for another one */
  constructor(maxBytes: number, dropped?: (value: V) => void) {
    this.#maxBytes = maxBytes;
    this.#dropped = dropped;
  }

  /** Returns the cached value and marks it as recently used. Returns `undefined` on a miss. */
  peek(key: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key); // a Map iterates in insertion order, so the least recently used entry is the first
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Stores a value of this many bytes. A value that exceeds the bound by itself stays until the next `put`. */
  put(key: number, value: V, bytes: number): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
      this.#dropped?.(entry.value);
    }
  }

  /** Returns the load of this key in flight, to share it. Returns `undefined` if there is none. */
  loading(key: number): Promise<V> | undefined {
    return this.#loading.get(key);
  }

  /** Registers a load that has just begun: `loading` returns it, and its value is cached. A failure is not cached. */
  adopt(key: number, load: Promise<V>, bytes: number): Promise<V> {
    const generation = this.#generation;
    const loading = load.then(
      (value) => {
        this.#forget(key, loading);
        // A value that was invalidated during its load is stale: the waiting callers get it, but it is not cached.
        if (generation === this.#generation) this.put(key, value, bytes);
        return value;
      },
      (error: unknown) => {
        this.#forget(key, loading);
        throw error;
      },
    );
    this.#loading.set(key, loading);
    return loading;
  }

  #forget(key: number, loading: Promise<V>): void {
    if (this.#loading.get(key) === loading) this.#loading.delete(key);
  }

  /** Removes the cached value of a key. A load in flight is still cached. */
  delete(key: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  /** Removes a key. The value of a load in flight will not be cached either. */
  invalidate(key: number): void {
    this.delete(key);
    if (this.#loading.delete(key)) this.#generation++;
  }

  /** Removes all values. The values of loads in flight will not be cached either. */
  clear(): void {
    this.#entries.clear();
    this.#loading.clear();
    this.#bytes = 0;
    this.#generation++;
  }
}
