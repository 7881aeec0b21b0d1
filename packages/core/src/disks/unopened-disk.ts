import type { Able } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';

/**
 * Takes the place of a backing disk that the caller asked not to open. Every read is an `ERR_BACKING_NOT_OPEN` error and never
 * returns zeroes. Not part of `chain()`.
 */
export class UnopenedDisk implements DiskModule, Able<'chain'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable = false;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async init(): Promise<void> {}

  /** The size is unknown, so every offset counts as inside the disk. */
  size(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  read(): Promise<Uint8Array> {
    return Promise.reject(this.#refusal());
  }

  write(): Promise<number> {
    return Promise.reject(this.#refusal());
  }

  chain(): readonly DiskModule[] {
    return [];
  }

  async close(): Promise<void> {}

  getBase(): DiskModule {
    return this;
  }

  #refusal(): DiskError {
    return new DiskError(
      'ERR_BACKING_NOT_OPEN',
      `the bytes are in ${quote(this.#name)}, which was not opened`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
