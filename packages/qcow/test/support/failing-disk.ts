import { type DiskError, MemoryDisk } from '@diskstack/core';

/** A disk in memory whose n-th change fails, as often as there are failures left. */
export class FailingDisk extends MemoryDisk {
  changes = 0;
  readonly #from: number;
  #left: number;
  readonly #error: DiskError;

  constructor(bytes: Uint8Array, from: number, times: number, error: DiskError) {
    super(bytes);
    this.#from = from;
    this.#left = times;
    this.#error = error;
  }

  /** Nothing fails any more. */
  heal(): void {
    this.#left = 0;
  }

  #fail(): void {
    if (++this.changes < this.#from || this.#left === 0) return;
    this.#left--;
    throw this.#error;
  }

  override async write(offset: number, data: Uint8Array): Promise<number> {
    this.#fail();
    return await super.write(offset, data);
  }

  override async resize(size: number): Promise<void> {
    this.#fail();
    await super.resize(size);
  }

  async flush(): Promise<void> {
    this.#fail();
  }
}
