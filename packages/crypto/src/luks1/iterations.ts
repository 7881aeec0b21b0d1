import { type CryptoPrimitives, type Io, throwIfAborted } from '@diskstack/core';

/** Rounds to begin with, and the milliseconds that they have to take to be a measure. */
const FIRST_ROUNDS = 16_384;
const LONG_ENOUGH = 100;
/** Rounds that are not measured any further: whatever is that fast is fast enough. */
const MOST_ROUNDS = 2 ** 28;

/** Rounds of PBKDF2 that this machine does in a second, for a key of this length. */
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
