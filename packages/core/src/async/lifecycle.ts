import { DiskError } from '../errors/disk-error.ts';

/** The life of a disk: opened once, used by many at a time, closed once when the last of them is done. */
export class Lifecycle {
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #open = false;
  #inFlight = 0;
  #whenIdle: (() => void) | undefined;

  /** All calls share one promise: a second `init` that opened again would leak a handle. */
  init(open: () => Promise<void>): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new DiskError('ERR_STATE', 'the disk is closed'));
    this.#opening ??= open().then(() => {
      this.#open = this.#closing === undefined;
    });
    return this.#opening;
  }

  check(): void {
    if (this.#open) return;
    throw new DiskError(
      'ERR_STATE',
      this.#closing === undefined ? 'the disk is not initialised: await init() first' : 'the disk is closed',
    );
  }

  /** Begins a piece of work that `close` has to wait for; `leave` ends it. */
  enter(): void {
    this.check();
    this.#inFlight++;
  }

  /** Work that `close` has to wait for. It does not begin on a disk that is closed. */
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

  /** Refuses new work immediately, waits for what is in flight, then releases, once. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#finish(release);
    return this.#closing;
  }

  async #finish(release: () => Promise<void>): Promise<void> {
    if (!this.#open) await this.#opening?.catch(() => {}); // the caller of init() has the error; here it only has to be over
    this.#open = false;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await release();
  }
}
