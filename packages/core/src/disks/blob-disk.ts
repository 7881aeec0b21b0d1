import { untilAborted } from '../async/until-aborted.ts';
import type { Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { ReadOnlyDisk } from './disk-base.ts';

/** A read-only storage over a `Blob` or a `File` of a browser. Reads only the ranges that callers ask for. */
export class BlobDisk extends ReadOnlyDisk {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly location?: string;
  readonly #blob: Blob;

  protected readonly readOnlyReason = 'a Blob cannot be written';

  constructor(blob: Blob, options: { readonly location?: string } = {}) {
    super();
    this.#blob = blob;
    const location = options.location ?? (blob as Partial<File>).name;
    if (location !== undefined) this.location = location;
  }

  protected async open(): Promise<void> {}

  protected length(): number {
    return this.#blob.size;
  }

  protected async fill(offset: number, into: Uint8Array, io: Io): Promise<void> {
    into.set(await untilAborted(this.#slice(offset, into.length), io.signal));
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

  protected async release(): Promise<void> {}
}
