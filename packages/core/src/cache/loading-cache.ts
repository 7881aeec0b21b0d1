interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
}

/**
 * A cache bounded in bytes that drops what was used longest ago, and in which concurrent misses of one key share one
 * load. Keys are numbers: offsets, as a rule.
 */
export class LoadingCache<V> {
  readonly #maxBytes: number;
  readonly #entries = new Map<number, Entry<V>>();
  readonly #loading = new Map<number, Promise<V>>();
  #bytes = 0;
  #generation = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The cached value, now the youngest; or `undefined`. */
  peek(key: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key); // a Map iterates in order of insertion, so the oldest is always the first
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Keeps a value of this many bytes. One that alone exceeds the bound is kept until the next arrives. */
  put(key: number, value: V, bytes: number): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }

  /** The load of this key that is under way, to be shared; or `undefined`. */
  loading(key: number): Promise<V> | undefined {
    return this.#loading.get(key);
  }

  /** Takes a load that has just begun: others find it under `loading`, its value is kept, a failure is not. */
  adopt(key: number, load: Promise<V>, bytes: number): Promise<V> {
    const generation = this.#generation;
    const loading = load.then(
      (value) => {
        this.#forget(key, loading);
        // What was dropped while it was being read is stale: it goes to those who wait and is not kept.
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

  delete(key: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  /** Drops a key for good: also a load of it that is under way now will not be kept. */
  invalidate(key: number): void {
    this.delete(key);
    if (this.#loading.delete(key)) this.#generation++;
  }

  clear(): void {
    this.#entries.clear();
    this.#loading.clear();
    this.#bytes = 0;
    this.#generation++;
  }
}
