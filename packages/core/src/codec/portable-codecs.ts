import type { Codecs } from '../contracts/services.ts';
import { inflate } from './inflate.ts';
import { zstd } from './zstd.ts';

/** Decompressors that run everywhere: pako and zstddec. On Node, `zlibCodecs` of `@diskstack/core/node` is faster. */
export const portableCodecs: Codecs = { deflate: inflate, zstd };
