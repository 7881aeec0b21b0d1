/** Streams for the threads of a pool, in memory that all of them see. */
export interface PoolBatch {
  readonly batch: number;
  readonly codec: PoolCodec;
  /** The streams, one behind the other: number `n` from byte `inputAt[n]` up to `inputAt[n + 1]`. */
  readonly input: SharedArrayBuffer;
  readonly inputAt: readonly number[];
  /** What comes out of them, in the same order. */
  readonly output: SharedArrayBuffer;
  readonly outputAt: readonly number[];
  /** Words of 32 bits: `CLAIM`, then the state of each stream from `JOB` on. */
  readonly control: SharedArrayBuffer;
}

/** A thread says that it is there, or that it will not touch a batch any more. */
export interface PoolReply {
  readonly batch?: number;
}

/** Codecs that the threads have. */
export type PoolCodec = 'deflate' | 'zlib' | 'zstd';

/** Word of the number of the next stream that no thread has taken yet. */
const CLAIM = 0;
/** Word of the state of the first stream. */
export const JOB = 1;
/** What has become of a stream. `waiting`: not finished. `own`: the caller's thread did it, into its buffer. */
export const STATE = { waiting: 0, own: 1, done: 2, failed: 3 } as const;

/** Takes the next stream of a batch: its number, past the last one when none is left. */
export function claim(control: Int32Array): number {
  return Atomics.add(control, CLAIM, 1);
}
