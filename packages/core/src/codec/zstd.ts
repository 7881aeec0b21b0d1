import { ZSTDDecoder } from 'zstddec';
import type { DecompressNow } from '../contracts/codec.ts';
import { type DecodeFrame, zstdBy } from './zstd-frames.ts';

const decoder = /* @__PURE__ */ new ZSTDDecoder();

/** Decodes a frame with zstddec: zstd's own decoder, compiled to WebAssembly. For a broken frame it returns no bytes. */
const decodeFrame: DecodeFrame = (frame, into) => {
  const bytes = decoder.decode(frame, into.length);
  if (bytes.length === 0) throw new Error('a frame is broken, or holds more than the cluster');
  into.set(bytes);
  return bytes.length;
};

/** Portable Zstandard. `ready` compiles the WebAssembly module once, before the first image that needs it is read. */
export const zstd: DecompressNow = /* @__PURE__ */ Object.assign(zstdBy(decodeFrame), {
  ready: () => decoder.init(),
});
