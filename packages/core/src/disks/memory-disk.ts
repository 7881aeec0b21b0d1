import { breathe } from '../async/breathe.ts';
import { Lifecycle } from '../async/lifecycle.ts';
import { checkBytes } from '../binary/safe-number.ts';
import type { Able } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import { checkInside, checkWrite } from '../io/range.ts';
import { answerRead, inPieces } from '../io/read-call.ts';

/**
 * A storage over bytes in memory: they are used in place, and a write changes the caller's array. Once it has grown, it
 * has an array of its own: `bytes`.
 */
export class MemoryDisk implements DiskModule, Able<'readInto' | 'resize'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable: boolean;
  readonly location?: string;
  #bytes: Uint8Array;
  /** Bytes of `#bytes` and room to grow behind them. */
  #room: Uint8Array;
  readonly #life = new Lifecycle();

  constructor(bytes: Uint8Array, options: { readonly writable?: boolean; readonly location?: string } = {}) {
    this.#bytes = bytes;
    this.#room = bytes;
    this.writable = options.writable ?? true;
    if (options.location !== undefined) this.location = options.location;
  }

  /** The content, as it stands now. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  init(): Promise<void> {
    return this.#life.init(async () => {});
  }

  size(): number {
    this.#life.check();
    return this.#bytes.length;
  }

  read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    return answerRead(this, offset, length, io, (from, into) =>
      this.#life.whileOpen(() => inPieces(from, into, io, (at, part) => this.#copy(at, part))),
    );
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): undefined {
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    this.#copy(offset, into);
  }

  #copy(offset: number, into: Uint8Array): undefined {
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const size = this.size();
    throwIfAborted(io.signal);
    if (!this.writable) throw readOnly(this.location);
    checkWrite(size, offset, data.length);
    this.#bytes.set(data, offset);
    const pause = breathe();
    if (pause !== undefined) await pause;
    return data.length;
  }

  async resize(size: number, io: Io = {}): Promise<void> {
    checkBytes(size, 'size');
    const old = this.size();
    throwIfAborted(io.signal);
    if (!this.writable) throw readOnly(this.location);
    if (size > this.#room.length) {
      const room = allocate(Math.max(size, old * 2));
      room.set(this.#bytes);
      this.#room = room;
    } else if (size > old) {
      this.#room.fill(0, old, size);
    }
    this.#bytes = this.#room.subarray(0, size);
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

function readOnly(layer: string | undefined): DiskError {
  return new DiskError('ERR_READ_ONLY', 'the memory disk is read-only', { layer });
}

function allocate(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new DiskError('ERR_NO_SPACE', `no memory for a disk of ${size} bytes`, { cause });
  }
}
