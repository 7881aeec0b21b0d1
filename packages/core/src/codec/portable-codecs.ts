import type { Codecs } from '../contracts/services.ts';
import { late, lateCompress } from './lazy.ts';

/** Codecs that run everywhere: pako and zstddec, which does not compress. On Node, `zlibCodecs` of `@diskstack/core/node` is faster. */
export const portableCodecs: Codecs = {
  deflate: late(async () => (await import('./inflate.ts')).inflate),
  zstd: late(async () => (await import('./zstd.ts')).zstd),
  compress: { deflate: lateCompress(async () => (await import('./deflate.ts')).deflate) },
};
