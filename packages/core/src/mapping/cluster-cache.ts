import { LoadingCache } from '../cache/loading-cache.ts';

interface Cluster {
  readonly bytes: Uint8Array;
  /** Callers may wait for it, and use it after it has left the cache. */
  readonly isShared: boolean;
}

/**
 * Decompressed clusters by host offset, bounded in bytes. The memory of a cluster that leaves the cache holds the next one: random
 * reads need memory for nearly each cluster, and V8 frees it late. A cluster from `peek` is therefore valid only until
 * the next call of `put`; one from `loading` or `adopt` stays valid.
 */
export class ClusterCache {
  readonly #clusters: LoadingCache<Cluster>;
  #spare: Uint8Array | undefined;

  constructor(maxBytes: number) {
    this.#clusters = new LoadingCache(maxBytes, ({ bytes, isShared }) => {
      if (!isShared) this.#spare = bytes;
    });
  }

  /** Returns zeroes for a cluster of this length that is to be put into the cache. */
  take(length: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare?.length === length ? spare.fill(0) : new Uint8Array(length);
  }

  /** Returns a cached cluster, or `undefined`. */
  peek(at: number): Uint8Array | undefined {
    return this.#clusters.peek(at)?.bytes;
  }

  /** Stores a cluster that was filled synchronously, so no caller of `loading` has it. */
  put(at: number, bytes: Uint8Array): void {
    this.#clusters.put(at, { bytes, isShared: false }, bytes.length);
  }

  /** Returns the load of a cluster in flight, or `undefined`. */
  loading(at: number): Promise<Uint8Array> | undefined {
    return this.#clusters.loading(at)?.then(bytesOf);
  }

  /** Stores a cluster when it is filled, and shares it with callers of `loading` until then. */
  adopt(at: number, bytes: Uint8Array, filling: Promise<void>): Promise<Uint8Array> {
    const load = filling.then(() => ({ bytes, isShared: true }));
    return this.#clusters.adopt(at, load, bytes.length).then(bytesOf);
  }

  clear(): void {
    this.#clusters.clear();
  }
}

function bytesOf({ bytes }: Cluster): Uint8Array {
  return bytes;
}
