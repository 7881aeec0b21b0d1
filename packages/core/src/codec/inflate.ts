import { Z_FINISH, Z_STREAM_END, ZStream, zlibInflate, zlibInflateEnd, zlibInflateInit2 } from 'pako';
import type { DecompressNow } from '../contracts/codec.ts';

/** Raw deflate with the largest window, which also reads streams made with a smaller one. */
const RAW_32K = -15;

/** Deflate with a zlib header and a checksum, and the largest window. */
const ZLIB_32K = 15;

/** Raw inflate with pako, directly into the cluster. Once the cluster is full, the rest of the stream is ignored, as in qemu. */
export const inflate: DecompressNow = (stored, into) => {
  const { stream } = run(stored, into, RAW_32K);
  if (stream.total_out !== into.length) {
    throw new Error(stream.msg || `the stream ends after ${stream.total_out} bytes`);
  }
};

/** A zlib stream, with pako. It has to end exactly when `into` is full, with the right checksum. */
export const inflateZlib: DecompressNow = (stored, into) => {
  const { stream, status } = run(stored, into, ZLIB_32K);
  if (status !== Z_STREAM_END) {
    throw new Error(stream.msg || `the stream has no end after ${stream.total_out} bytes`);
  }
  if (stream.total_out !== into.length) throw new Error(`the stream ends after ${stream.total_out} bytes`);
};

function run(stored: Uint8Array, into: Uint8Array, windowBits: number) {
  const stream = new ZStream();
  stream.input = stored;
  stream.avail_in = stored.length;
  stream.output = into as Uint8Array<ArrayBuffer>; // pako only indexes it
  stream.avail_out = into.length;
  zlibInflateInit2(stream, windowBits);
  const status = zlibInflate(stream, Z_FINISH);
  zlibInflateEnd(stream);
  return { stream, status };
}
