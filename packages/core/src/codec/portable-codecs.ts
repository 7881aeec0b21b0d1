import type { CoreCodecs } from '../contracts/codec.ts';
import { lazy, lazyCompress } from './lazy.ts';

/**
 * Codecs that run everywhere: pako, and zstddec (decompression only). `zlibCodecs` of `@diskstack/core/node` is faster on Node.
 */
export const portableCodecs: CoreCodecs = {
  deflate: {
    decompress: lazy(async () => (await import('./inflate.ts')).inflate),
    compress: lazyCompress(async () => (await import('./deflate.ts')).deflate),
  },
  zlib: { decompress: lazy(async () => (await import('./inflate.ts')).inflateZlib) },
  zstd: { decompress: lazy(async () => (await import('./zstd.ts')).zstd) },
};
