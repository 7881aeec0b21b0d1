import * as zlib from 'node:zlib'; // as a namespace: before Node 22.15 it has no zstd, and a missing named import fails
import { lazy } from '../../codec/lazy.ts';
import { type DecodeFrame, zstdBy } from '../../codec/zstd-frames.ts';
import type { DecompressNow } from '../../contracts/codec.ts';
import type { PoolCodec } from './pool-batch.ts';
import { zlibStream } from './zlib-stream.ts';

/** Extra bytes in the output, so that zlib sees the end of a stream without a second chunk. */
const SPARE = 64;
/** Largest window of a frame, as a power of two. `zstdBy` refuses frames with a window larger than a cluster. */
const ZSTD_WINDOW = 21;
/** Sample data to test a stream with. */
const SAMPLE = new Uint8Array(3000).map((_, index) => index % 251);

/** `streams`: one decompressor for all clusters (`zlibStream`). `calls`: one for each cluster. */
export type ZlibUse = 'streams' | 'calls';

/** Makes a decompressor for this thread. */
export function zlibDecompress(codec: PoolCodec, use: ZlibUse): DecompressNow {
  if (codec === 'deflate') return zlibInflate(use);
  if (codec === 'zlib') return zlibInflateWrapped(use);
  return 'zstdDecompressSync' in zlib
    ? zlibZstd(use)
    : lazy(async () => (await import('../../codec/zstd.ts')).zstd);
}

/**
 * zlib may read on after the cluster is full, into more data or padding, and report an error there. pako judges a stream only by
 * its output, so it decides after an error of zlib.
 */
function zlibInflate(use: ZlibUse): DecompressNow {
  let inflateNow: Inflate = inflateByCall;
  let pako: DecompressNow | undefined;
  const decompress = (stored: Uint8Array, into: Uint8Array): undefined => {
    try {
      inflateNow(stored, into);
    } catch (error) {
      if (pako === undefined) throw error;
      pako(stored, into);
    }
  };
  const ready = async (): Promise<void> => {
    pako = (await import('../../codec/inflate.ts')).inflate;
    if (use === 'streams') inflateNow = inflateByStream() ?? inflateByCall;
  };
  return Object.assign(decompress, { ready });
}

type Inflate = (stored: Uint8Array, into: Uint8Array) => void;

// With Z_SYNC_FLUSH a stream without an end is valid if it fills the cluster.
const FLUSH = zlib.constants.Z_SYNC_FLUSH;

function inflateByStream(): Inflate | undefined {
  const stream = zlibStream(zlib.createInflateRaw, FLUSH, zlib.deflateRawSync(SAMPLE), SAMPLE);
  return stream && ((stored, into) => checkLength(stream.run(stored, into), into.length));
}

function inflateByCall(stored: Uint8Array, into: Uint8Array): void {
  const options = {
    chunkSize: into.length + SPARE,
    maxOutputLength: into.length,
    finishFlush: FLUSH,
  };
  const bytes = zlib.inflateRawSync(stored, options);
  checkLength(bytes.length, into.length);
  into.set(bytes);
}

function checkLength(length: number, expected: number): void {
  if (length !== expected) throw new Error(`the stream ends after ${length} bytes`);
}

/** Decompresses a stream with a header and a checksum. It has to end where the unit does. */
function zlibInflateWrapped(use: ZlibUse): DecompressNow {
  let inflateNow: Inflate = wrappedByCall;
  return Object.assign((stored: Uint8Array, into: Uint8Array): undefined => void inflateNow(stored, into), {
    ready: async () => {
      if (use === 'streams') inflateNow = wrappedByStream() ?? wrappedByCall;
    },
  });
}

/** With Z_FINISH, `hasMore` throws if the end or the checksum of the stream is missing. */
function wrappedByStream(): Inflate | undefined {
  const stream = zlibStream(zlib.createInflate, zlib.constants.Z_FINISH, zlib.deflateSync(SAMPLE), SAMPLE);
  return (
    stream &&
    ((stored, into) => {
      checkLength(stream.run(stored, into), into.length);
      if (stream.hasMore()) throw new Error('the stream holds more than the unit');
    })
  );
}

function wrappedByCall(stored: Uint8Array, into: Uint8Array): void {
  const bytes = zlib.inflateSync(stored, { chunkSize: into.length + SPARE, maxOutputLength: into.length });
  checkLength(bytes.length, into.length);
  into.set(bytes);
}

/** Decompresses frame by frame. `zstdBy` finds the frames and checks their sizes. */
function zlibZstd(use: ZlibUse): DecompressNow {
  let decode: DecodeFrame | undefined; // tests a stream only when there is a frame to read
  return zstdBy((frame, into) => {
    decode ??= (use === 'streams' ? zstdByStream() : undefined) ?? zstdByCall;
    return decode(frame, into);
  });
}

function zstdByStream(): DecodeFrame | undefined {
  const stream = zlibStream(
    createZstd,
    zlib.constants.ZSTD_e_continue,
    zlib.zstdCompressSync(SAMPLE),
    SAMPLE,
  );
  if (stream === undefined) return undefined;
  return (frame, into) => {
    const length = stream.run(frame, into);
    if (stream.hasMore()) throw new Error('a frame holds more than the cluster');
    return length;
  };
}

const createZstd = (): object =>
  zlib.createZstdDecompress({ params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW } });

function zstdByCall(frame: Uint8Array, into: Uint8Array): number {
  const bytes = zlib.zstdDecompressSync(frame, {
    chunkSize: into.length + SPARE,
    maxOutputLength: into.length,
  });
  into.set(bytes);
  return bytes.length;
}
