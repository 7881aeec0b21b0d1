/**
 * Knows which reads are under way, so that space that has become free is given away only when no read uses it any
 * more: a read that had looked up its place before still gets the bytes that were there.
 */
export class ReadEpochs {
  #current: Epoch = { reads: 0, over: undefined };
  #before: Promise<void> | undefined;

  /** Counts a read until it has ended, by whatever way. */
  async track(reading: Promise<void>): Promise<void> {
    const epoch = this.#current;
    epoch.reads++;
    try {
      await reading;
    } finally {
      if (--epoch.reads === 0) epoch.over?.();
    }
  }

  /** Resolves when all reads in flight have finished; `undefined` when there are none. */
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
