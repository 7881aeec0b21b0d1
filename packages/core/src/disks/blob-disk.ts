import { Lifecycle } from '../async/lifecycle.ts';
import type { Able } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import { checkInside, readTarget, untilAborted } from '../io/range.ts';

/** A storage over a `Blob` or a `File` of a browser: read-only, and only what is asked for is read. */
export class BlobDisk implements DiskModule, Able<'readInto'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable = false;
  readonly location?: string;
  readonly #blob: Blob;
  readonly #life = new Lifecycle();

  constructor(blob: Blob, options: { readonly location?: string } = {}) {
    this.#blob = blob;
    const location = options.location ?? (blob as Partial<File>).name;
    if (location !== undefined) this.location = location;
  }

  init(): Promise<void> {
    return this.#life.init(async () => {});
  }

  size(): number {
    this.#life.check();
    return this.#blob.size;
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = readTarget(this.size(), offset, length, io.into);
    throwIfAborted(io.signal);
    if (into.length > 0) await this.readInto(offset, into, io);
    return into;
  }

  async readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> {
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    this.#life.enter();
    try {
      into.set(await untilAborted(this.#slice(offset, into.length), io.signal));
    } finally {
      this.#life.leave();
    }
  }

  async #slice(offset: number, length: number): Promise<Uint8Array> {
    try {
      return new Uint8Array(await this.#blob.slice(offset, offset + length).arrayBuffer());
    } catch (cause) {
      throw new DiskError('ERR_IO', `reading ${length} bytes failed`, {
        layer: this.location,
        offset,
        cause,
      });
    }
  }

  async write(): Promise<number> {
    this.#life.check();
    throw new DiskError('ERR_READ_ONLY', 'a Blob cannot be written', { layer: this.location });
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
