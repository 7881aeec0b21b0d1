/**
 * Tracks reads in flight, so that freed space is reused only after every read that may use it has ended. A read that looked up
 * its place before the space was freed thus still gets the old bytes.
 */
export class ReadEpochs {
  #current: Epoch = { reads: 0, over: undefined };
  #before: Promise<void> | undefined;

  /** Counts a read until it succeeds or fails. Settles as `reading` does. */
  async track(reading: Promise<void>): Promise<void> {
    const epoch = this.#current;
    epoch.reads++;
    try {
      await reading;
    } finally {
      if (--epoch.reads === 0) epoch.over?.();
    }
  }

  /** Resolves when all reads in flight have ended. Returns `undefined` if there are none. */
  whenOver(): Promise<void> | undefined {
    const { reads } = this.#current;
    if (reads === 0) return this.#before;
    const ended = this.#current;
    this.#current = { reads: 0, over: undefined };
    const before = this.#before;
    const over = Promise.all([
      before,
      new Promise<void>((resolve) => {
        ended.over = resolve;
      }),
    ]).then(() => {
      if (this.#before === over) this.#before = undefined;
    });
    this.#before = over;
    return over;
  }
}

interface Epoch {
  reads: number;
  over: (() => void) | undefined;
}
