import { lazy, lazyCompress } from '../../codec/lazy.ts';
import type { CoreCodecs, Decompress } from '../../contracts/codec.ts';
import type { DecompressPool } from './decompress-pool.ts';
import type { PoolCodec } from './pool-batch.ts';
import type { ZlibUse } from './zlib-decompress.ts';

export interface ZlibOptions {
  /** `streams` keeps one decompressor for all clusters (see `zlibStream`), `calls` makes one for each. Default: `streams`. */
  readonly use?: ZlibUse;
  /**
   * Threads that help with long runs of compressed clusters; 0 for none. Default: one for each further processor. They start
   * when there has been enough work for them, and keep no process alive.
   */
  readonly threads?: number;
}

/** Decompressors on `node:zlib`: three times as fast as the portable ones on one thread, and on several at a time. */
export function makeZlibCodecs({ use = 'streams', threads }: ZlibOptions = {}): CoreCodecs {
  let pool: Promise<DecompressPool> | undefined;
  const makePool = async (): Promise<DecompressPool> => {
    const { DecompressPool, furtherProcessors } = await import('./decompress-pool.ts');
    return new DecompressPool(threads ?? furtherProcessors());
  };
  /** All that there is to load is loaded with the first cluster. */
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
