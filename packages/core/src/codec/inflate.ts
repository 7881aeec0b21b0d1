import { Z_FINISH, ZStream, zlibInflate, zlibInflateEnd, zlibInflateInit2 } from 'pako';
import type { Decompress } from '../contracts/services.ts';

/** Raw deflate with the largest window: a stream that was made with a smaller one reads the same. */
const RAW_32K = -15;

/**
 * Raw inflate by pako, straight into the cluster. A stream that goes on after the cluster is full is cut there, as
 * qemu does.
 */
export const inflate: Decompress = (stored, into) => {
  const stream = new ZStream();
  stream.input = stored;
  stream.avail_in = stored.length;
  stream.output = into as Uint8Array<ArrayBuffer>; // pako only indexes it
  stream.avail_out = into.length;
  zlibInflateInit2(stream, RAW_32K);
  zlibInflate(stream, Z_FINISH);
  zlibInflateEnd(stream);
  if (stream.total_out !== into.length) {
    throw new Error(stream.msg || `the stream ends after ${stream.total_out} bytes`);
  }
};
