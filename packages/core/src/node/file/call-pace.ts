/**
 * How a file is read and written. A read of a cached page takes 1.5 µs with a call that blocks, and 20 µs through the
 * thread pool; a disk that keeps us waiting must not block everything else.
 *
 * - `sync`: always with calls that block
 * - `pool`: never: for network file systems, and other files that may keep us waiting
 * - `auto`: calls block as long as they are quick; of long reads the pool does a part at the same time
 */
export type FileIo = 'auto' | 'sync' | 'pool';

/**
 * A call that takes longer did not come from the page cache, in milliseconds. `Date.now` can tell so much, and by a
 * clock that is set meanwhile once at most; Node loads `performance` when it is used first, which takes a millisecond.
 */
const SLOW_CALL = 5;
/** Slow calls after which a file is left to the pool: one may be a hiccup of the machine. */
const PATIENCE = 3;
/** Quick calls, of the pool too, that make up for a slow one: what was slow may be cached by now. */
const FORGIVING = 100;

/** Watches how long calls take, and ends their blocking for as long as they take long. */
export class CallPace {
  readonly #io: FileIo;
  #slowCalls = 0;
  #quickCalls = 0;

  constructor(io: FileIo) {
    this.#io = io;
  }

  get mayBlock(): boolean {
    return this.#io === 'sync' || (this.#io === 'auto' && this.#slowCalls < PATIENCE);
  }

  /** Whether the pool helps with long reads. */
  get shares(): boolean {
    return this.#io === 'auto';
  }

  /** A call that would take less than a millisecond from the page cache, or into it, has taken this long. */
  took(milliseconds: number): void {
    if (milliseconds > SLOW_CALL) {
      this.#slowCalls = Math.min(PATIENCE, this.#slowCalls + 1);
      this.#quickCalls = 0;
    } else if (this.#slowCalls > 0 && ++this.#quickCalls === FORGIVING) {
      this.#slowCalls--;
      this.#quickCalls = 0;
    }
  }
}
