import type { Io } from '@diskstack/core';
import { type CryptoPrimitives, throwIfAborted } from '@diskstack/core/format';

/** Iterations of the first measurement, and the milliseconds that a measurement must take to be precise enough. */
const FIRST_ROUNDS = 16_384;
const LONG_ENOUGH = 100;
/** Bounds the measurement on a machine, or with primitives of a test, that are too fast to measure. */
const MOST_ROUNDS = 2 ** 28;

/** Measures how many iterations of PBKDF2 this machine computes in a second, for a key of `keyBytes` bytes. */
export async function roundsPerSecond(
  primitives: CryptoPrimitives,
  hash: string,
  keyBytes: number,
  io: Io,
): Promise<number> {
  const password = new Uint8Array(16);
  const salt = new Uint8Array(32);
  for (let iterations = FIRST_ROUNDS; ; iterations *= 2) {
    throwIfAborted(io.signal);
    const start = performance.now();
    await primitives.pbkdf2({ hash, password, salt, iterations, length: keyBytes });
    const milliseconds = performance.now() - start;
    if (milliseconds >= LONG_ENOUGH || iterations >= MOST_ROUNDS)
      return Math.round((iterations * 1000) / Math.max(milliseconds, 1));
  }
}
