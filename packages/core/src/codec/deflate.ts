import { deflateRaw } from 'pako';
import type { Compress } from '../contracts/codec.ts';
import { MEMORY_LEVEL, WINDOW_BITS } from './deflate-settings.ts';

/** Raw deflate with pako, synchronous. */
export const deflate: Compress = (bytes, maxBytes) => {
  const stored = deflateRaw(bytes, { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL });
  return stored.length < maxBytes ? stored : undefined;
};
