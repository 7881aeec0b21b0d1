import { breathe } from '../async/breathe.ts';
import { Lifecycle } from '../async/lifecycle.ts';
import { DiskError } from '../errors/disk-error.ts';

/** The lifecycle of a layer. Adds the format and the location of the layer to its errors. */
export class LayerLife {
  readonly #life = new Lifecycle();
  readonly #format: string;
  readonly #location: string | undefined;

  constructor(format: string, location: string | undefined) {
    this.#format = format;
    this.#location = location;
  }

  init(open: () => Promise<void>): Promise<void> {
    return this.#life.init(open);
  }

  check(): void {
    try {
      this.#life.check();
    } catch (error) {
      throw this.withContext(error);
    }
  }

  close(release: () => Promise<void>): Promise<void> {
    return this.#life.close(release);
  }

  /** Runs work that `close` waits for. Its errors name this layer. */
  async whileOpen<T>(work: () => Promise<T>): Promise<T> {
    this.#life.enter();
    try {
      const result = await work();
      const pause = breathe();
      if (pause !== undefined) await pause;
      return result;
    } catch (error) {
      throw this.withContext(error);
    } finally {
      this.#life.leave();
    }
  }

  withContext(error: unknown): unknown {
    if (!(error instanceof DiskError)) return error;
    return error.in({ format: this.#format, layer: this.#location });
  }
}
