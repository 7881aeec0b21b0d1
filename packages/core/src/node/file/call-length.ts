/** The fewest and the most bytes of one call. */
const SHORTEST = 1024 * 1024;
const LONGEST = 256 * 1024 * 1024;
/** Milliseconds of a call after which the next one is shorter, and below which it is longer. */
const SLOW_CALL = 8;
const FAST_CALL = 2;

/**
 * The length of blocking calls whose duration is not known in advance. To free, zero or share a range takes microseconds on most file
 * systems, and seconds on a device that can only write zeroes.
 */
export class CallLength {
  bytes: number = SHORTEST;

  /** Runs a call of at most `bytes`, and learns from the time that it takes. */
  measure<T>(call: () => T): T {
    const start = Date.now();
    const answer = call();
    const took = Date.now() - start;
    if (took > SLOW_CALL) this.bytes = Math.max(SHORTEST, this.bytes / 2);
    else if (took < FAST_CALL) this.bytes = Math.min(LONGEST, this.bytes * 2);
    return answer;
  }
}
