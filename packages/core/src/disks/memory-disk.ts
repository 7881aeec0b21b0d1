import { checkBytes } from '../binary/safe-number.ts';
import type { Able } from '../contracts/abilities.ts';
import type { Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { DiskBase } from './disk-base.ts';

/**
 * A storage over bytes in memory. It uses the caller's array in place, so writes change that array. Once `resize` has made it
 * longer, it has an array of its own: `bytes`.
 */
export class MemoryDisk extends DiskBase implements Able<'resize'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable: boolean;
  readonly location?: string;
  #bytes: Uint8Array;
  /** `#bytes` and, after it, spare capacity to grow into. */
  #room: Uint8Array;

  protected readonly readOnlyReason = 'the memory disk is read-only';

  constructor(bytes: Uint8Array, options: { readonly writable?: boolean; readonly location?: string } = {}) {
    super();
    this.#bytes = bytes;
    this.#room = bytes;
    this.writable = options.writable ?? true;
    if (options.location !== undefined) this.location = options.location;
  }

  /** The current content. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  protected async open(): Promise<void> {}

  protected length(): number {
    return this.#bytes.length;
  }

  protected fill(offset: number, into: Uint8Array): undefined {
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  protected put(offset: number, data: Uint8Array): undefined {
    this.#bytes.set(data, offset);
  }

  async resize(size: number, io: Io = {}): Promise<void> {
    checkBytes(size, 'size');
    const old = this.size();
    throwIfAborted(io.signal);
    if (!this.writable) throw this.readOnly();
    if (size > this.#room.length) {
      const room = allocate(Math.max(size, old * 2));
      room.set(this.#bytes);
      this.#room = room;
    } else if (size > old) {
      this.#room.fill(0, old, size);
    }
    this.#bytes = this.#room.subarray(0, size);
  }

  protected async release(): Promise<void> {}
}

function allocate(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new DiskError('ERR_NO_SPACE', `no memory for a disk of ${size} bytes`, { cause });
  }
}
