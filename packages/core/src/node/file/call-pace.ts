/**
 * How a file is read and written. A read of a cached page takes 1.5 µs with a blocking call, and 20 µs through the thread pool.
 * But a slow disk must not block the whole program.
 *
 * - `sync`: always blocking calls
 * - `pool`: never blocking calls: for network file systems and other slow files
 * - `auto`: blocking calls as long as they are fast; the pool reads a part of a long read at the same time
 */
export type FileIo = 'auto' | 'sync' | 'pool';

/**
 * A call that takes longer than this many milliseconds did not come from the page cache. `Date.now` is precise enough, and a
 * clock that is set meanwhile misleads it only once. `performance` takes a millisecond to load on first use.
 */
const SLOW_CALL = 5;
/** Number of slow calls after which the file uses the pool. A single slow call may be a coincidence. */
const MAX_SLOW_CALLS = 3;
/** Number of fast calls, blocking or not, that cancel one slow call: what was slow may be cached by now. */
const FAST_CALLS_PER_SLOW = 100;

/** Measures how long calls take, and allows blocking calls only while they are fast. */
export class CallPace {
  readonly #io: FileIo;
  #slowCalls = 0;
  #fastCalls = 0;

  constructor(io: FileIo) {
    this.#io = io;
  }

  get mayBlock(): boolean {
    return this.#io === 'sync' || (this.#io === 'auto' && this.#slowCalls < MAX_SLOW_CALLS);
  }

  /** Whether the pool reads a part of long reads. */
  get shares(): boolean {
    return this.#io === 'auto';
  }

  /** Records the duration of a call that takes less than a millisecond if the page cache has the bytes. */
  took(milliseconds: number): void {
    if (milliseconds > SLOW_CALL) {
      this.#slowCalls = Math.min(MAX_SLOW_CALLS, this.#slowCalls + 1);
      this.#fastCalls = 0;
    } else if (this.#slowCalls > 0 && ++this.#fastCalls === FAST_CALLS_PER_SLOW) {
      this.#slowCalls--;
      this.#fastCalls = 0;
    }
  }
}
