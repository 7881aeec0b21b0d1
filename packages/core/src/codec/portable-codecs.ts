import type { Codecs } from '../contracts/services.ts';
import { lazy, lazyCompress } from './lazy.ts';

/** Codecs that run everywhere: pako and zstddec, which does not compress. On Node, `zlibCodecs` of `@diskstack/core/node` is faster. */
export const portableCodecs: Codecs = {
  deflate: lazy(async () => (await import('./inflate.ts')).inflate),
  zstd: lazy(async () => (await import('./zstd.ts')).zstd),
  compress: { deflate: lazyCompress(async () => (await import('./deflate.ts')).deflate) },
};
