import { ZSTDDecoder } from 'zstddec';
import type { DecompressNow } from '../contracts/codec.ts';
import { type DecodeFrame, zstdBy } from './zstd-frames.ts';

const decoder = /* @__PURE__ */ new ZSTDDecoder();

/** One frame by zstddec: zstd's own decoder, compiled to WebAssembly. It tells of a broken frame by no bytes at all. */
const decodeFrame: DecodeFrame = (frame, into) => {
  const bytes = decoder.decode(frame, into.length);
  if (bytes.length === 0) throw new Error('a frame is broken, or holds more than the cluster');
  into.set(bytes);
  return bytes.length;
};

/** Zstandard everywhere. Its module is compiled once, before the first image that needs it is read. */
export const zstd: DecompressNow = /* @__PURE__ */ Object.assign(zstdBy(decodeFrame), {
  ready: () => decoder.init(),
});
