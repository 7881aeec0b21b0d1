import { promisify } from 'node:util';
import * as zlib from 'node:zlib'; // as a whole: before Node 22.15 it has no zstd
import { MEMORY_LEVEL, WINDOW_BITS } from '../../codec/deflate-settings.ts';
import type { Compress } from '../../contracts/codec.ts';
import { DiskError } from '../../errors/disk-error.ts';

const deflateAsync = promisify(zlib.deflateRaw);

/** An option of Node 24. Node 22 ignores it. */
interface PledgedSize {
  readonly pledgedSrcSize: number;
}

/** Raw deflate in the thread pool. */
export const zlibDeflate: Compress = async (bytes, maxBytes) => {
  // The stream is seldom longer than its input: one chunk takes it whole.
  const chunkSize = Math.max(maxBytes, zlib.constants.Z_MIN_CHUNK);
  const stored = await deflateAsync(bytes, { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL, chunkSize });
  return stored.length < maxBytes ? stored : undefined;
};

/**
 * One Zstandard frame, on this thread: in the pool each frame costs three times as much, for the memory of its tables
 * that is mapped and unmapped again. Its size is said beforehand, so that they are no larger than it needs.
 */
export const zlibZstdCompress: Compress = (bytes, maxBytes) => {
  if (!('zstdCompressSync' in zlib)) {
    throw new DiskError('ERR_UNSUPPORTED', 'this Node compresses no zstd; 22.15 and later do');
  }
  const chunkSize = Math.max(maxBytes, zlib.constants.Z_MIN_CHUNK);
  const options: zlib.ZstdOptions & PledgedSize = { pledgedSrcSize: bytes.length, chunkSize };
  const stored = zlib.zstdCompressSync(bytes, options);
  return stored.length < maxBytes ? stored : undefined;
};
