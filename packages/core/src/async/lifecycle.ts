import { DiskError } from '../errors/disk-error.ts';

/** The lifecycle of a disk: opened once, used concurrently, closed once when the last call in flight has ended. */
export class Lifecycle {
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #open = false;
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;

  /** Opens the disk. All calls share one promise, because opening it again would leak a handle. */
  init(open: () => Promise<void>): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new DiskError('ERR_STATE', 'the disk is closed'));
    this.#opening ??= open().then(() => {
      this.#open = this.#closing === undefined;
    });
    return this.#opening;
  }

  /** Throws `ERR_STATE` unless the disk is open. */
  check(): void {
    if (this.#open) return;
    throw new DiskError(
      'ERR_STATE',
      this.#closing === undefined ? 'the disk is not initialised: await init() first' : 'the disk is closed',
    );
  }

  /** Begins work that `close` waits for. Every call needs a call of `leave`. `ERR_STATE` unless the disk is open. */
  enter(): void {
    this.check();
    this.#inFlight++;
  }

  /** Runs work that `close` waits for. `ERR_STATE` unless the disk is open. */
  async whileOpen<T>(work: () => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  leave(): void {
    if (--this.#inFlight === 0) this.#whenIdle?.();
  }

  /** Refuses new work immediately, waits for work in flight, then calls `release`. All calls share one promise. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#finish(release);
    return this.#closing;
  }

  async #finish(release: () => Promise<void>): Promise<void> {
    if (!this.#open) await this.#opening?.catch(() => {}); // the caller of init() handles the error
    this.#open = false;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await release();
  }
}
