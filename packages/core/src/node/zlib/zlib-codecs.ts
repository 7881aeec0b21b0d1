import { lazy, lazyCompress } from '../../codec/lazy.ts';
import type { CoreCodecs, Decompress } from '../../contracts/codec.ts';
import type { DecompressPool } from './decompress-pool.ts';
import type { PoolCodec } from './pool-batch.ts';
import type { ZlibUse } from './zlib-decompress.ts';

export interface ZlibOptions {
  /**
   * `streams` uses one decompressor for all clusters (see `zlibStream`), `calls` makes one for each cluster. Default: `streams`.
   */
  readonly use?: ZlibUse;
  /**
   * Number of further threads for long runs of compressed clusters. 0: none. Default: one for each further processor. Threads
   * start only after enough work, and do not keep the process alive.
   */
  readonly threads?: number;
}

/**
 * Makes the codecs on `node:zlib`. They are three times as fast as the portable ones on one thread, and can use several threads.
 */
export function makeZlibCodecs({ use = 'streams', threads }: ZlibOptions = {}): CoreCodecs {
  let pool: Promise<DecompressPool> | undefined;
  const makePool = async (): Promise<DecompressPool> => {
    const { DecompressPool, furtherProcessors } = await import('./decompress-pool.ts');
    return new DecompressPool(threads ?? furtherProcessors());
  };
  /** Loads the pool and the decompressor only for the first cluster. */
  const decompressor = (name: PoolCodec): Decompress =>
    lazy(async () => {
      pool ??= makePool();
      const helpers = await pool;
      const own = (await import('./zlib-decompress.ts')).zlibDecompress(name, use);
      const decompress = (stored: Uint8Array, into: Uint8Array): undefined => own(stored, into);
      return Object.assign(decompress, {
        ready: async () => own.ready?.(),
        together: helpers.threads === 0 ? undefined : helpers.run.bind(helpers, own, name),
      });
    });
  return {
    deflate: {
      decompress: decompressor('deflate'),
      compress: lazyCompress(async () => (await import('./zlib-compress.ts')).zlibDeflate),
    },
    zlib: { decompress: decompressor('zlib') },
    zstd: {
      decompress: decompressor('zstd'),
      compress: lazyCompress(async () => (await import('./zlib-compress.ts')).zlibZstdCompress),
    },
  };
}

export const zlibCodecs: CoreCodecs = /* @__PURE__ */ makeZlibCodecs();
