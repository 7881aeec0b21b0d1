/** Streams for the threads of a pool, in shared memory. */
export interface PoolBatch {
  readonly batch: number;
  readonly codec: PoolCodec;
  /** The compressed streams, one after the other. Stream `n` is the bytes from `inputAt[n]` up to `inputAt[n + 1]`. */
  readonly input: SharedArrayBuffer;
  readonly inputAt: readonly number[];
  /** The decompressed streams, in the same order. */
  readonly output: SharedArrayBuffer;
  readonly outputAt: readonly number[];
  /** Words of 32 bits: `CLAIM`, then the state of each stream, from `JOB` on. */
  readonly control: SharedArrayBuffer;
}

/** A message of a thread: without a batch it is ready, with one it has finished with that batch. */
export interface PoolReply {
  readonly batch?: number;
}

/** Codecs that the threads support. */
export type PoolCodec = 'deflate' | 'zlib' | 'zstd';

/** Index of the word with the number of the next stream that no thread has claimed. */
const CLAIM = 0;
/** Index of the word with the state of the first stream. */
export const JOB = 1;
/** State of a stream. `waiting`: not finished. `own`: the calling thread decompressed it into the caller's buffer. */
export const STATE = { waiting: 0, own: 1, done: 2, failed: 3 } as const;

/** Claims the next stream of a batch. Returns its number; past the last one when none is left. */
export function claim(control: Int32Array): number {
  return Atomics.add(control, CLAIM, 1);
}
