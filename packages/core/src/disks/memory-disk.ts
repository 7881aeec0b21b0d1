import type { Able } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import { Lifecycle } from '../lifecycle.ts';
import { checkInside, checkWrite, readTarget } from '../range.ts';

/** A storage over bytes in memory: they are used in place, and a write changes the caller's array. */
export class MemoryDisk implements DiskModule, Able<'readInto'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable: boolean;
  readonly location?: string;
  readonly #bytes: Uint8Array;
  readonly #life = new Lifecycle();

  constructor(bytes: Uint8Array, options: { readonly writable?: boolean; readonly location?: string } = {}) {
    this.#bytes = bytes;
    this.writable = options.writable ?? true;
    if (options.location !== undefined) this.location = options.location;
  }

  init(): Promise<void> {
    return this.#life.init(async () => {});
  }

  size(): number {
    this.#life.check();
    return this.#bytes.length;
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = readTarget(this.size(), offset, length, io.into);
    if (into.length > 0) this.readInto(offset, into, io);
    return into;
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): undefined {
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const size = this.size();
    throwIfAborted(io.signal);
    if (!this.writable)
      throw new DiskError('ERR_READ_ONLY', 'the memory disk is read-only', { layer: this.location });
    checkWrite(size, offset, data.length);
    this.#bytes.set(data, offset);
    return data.length;
  }

  close(): Promise<void> {
    return this.#life.close(async () => {});
  }

  getBase(): DiskModule {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
