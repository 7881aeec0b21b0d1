import { promisify } from 'node:util';
import * as zlib from 'node:zlib'; // as a namespace: before Node 22.15 it has no zstd
import { MEMORY_LEVEL, WINDOW_BITS } from '../../codec/deflate-settings.ts';
import type { Compress } from '../../contracts/codec.ts';
import { DiskError } from '../../errors/disk-error.ts';

const deflateAsync = promisify(zlib.deflateRaw);

/** An option since Node 24. Node 22 ignores it. */
interface PledgedSize {
  readonly pledgedSrcSize: number;
}

/** Compresses to raw deflate, in the thread pool. */
export const zlibDeflate: Compress = async (bytes, maxBytes) => {
  // The result is rarely longer than the input, so one chunk holds all of it.
  const chunkSize = Math.max(maxBytes, zlib.constants.Z_MIN_CHUNK);
  const stored = await deflateAsync(bytes, { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL, chunkSize });
  return stored.length < maxBytes ? stored : undefined;
};

/**
 * Compresses to one Zstandard frame, on this thread. In the thread pool a frame takes three times as long, because the
 * memory of its tables is mapped and unmapped each time. The size is announced (`pledgedSrcSize`), so that the tables are
 * no larger than needed.
 */
export const zlibZstdCompress: Compress = (bytes, maxBytes) => {
  if (!('zstdCompressSync' in zlib)) {
    throw new DiskError('ERR_UNSUPPORTED', 'this version of Node cannot compress zstd; 22.15 and later can');
  }
  const chunkSize = Math.max(maxBytes, zlib.constants.Z_MIN_CHUNK);
  const options: zlib.ZstdOptions & PledgedSize = { pledgedSrcSize: bytes.length, chunkSize };
  const stored = zlib.zstdCompressSync(bytes, options);
  return stored.length < maxBytes ? stored : undefined;
};
