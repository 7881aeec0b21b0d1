/**
 * How a file is read and written. A read of a cached page takes 1.5 µs with a call that blocks, and 20 µs through the
 * thread pool; a disk that keeps us waiting must not block everything else.
 *
 * - `sync`: always with calls that block
 * - `pool`: never: for network file systems, and other files that may keep us waiting
 * - `auto`: calls block as long as they are quick; of long reads the pool does a half at the same time
 */
export type FileIo = 'auto' | 'sync' | 'pool';

/**
 * Bytes of one call that blocks: 25 µs from the page cache, 45 µs into it. A kernel that is given more at once looks for
 * larger pages, which it may have to wait for.
 */
export const CALL_BYTES = 256 * 1024;
/** A call that takes longer did not come from the page cache, in milliseconds. */
const SLOW_CALL = 5;
/** Slow calls after which a file is left to the pool: one may be a hiccup of the machine. */
const PATIENCE = 3;
/** Quick calls, of the pool too, that make up for a slow one: what was slow may be cached by now. */
const FORGIVING = 500;

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

  /** A call of `CALL_BYTES` at most has taken this long. */
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
