import { Lifecycle } from '../async/lifecycle.ts';
import { LoadingCache } from '../cache/loading-cache.ts';
import { type Abilities, type Able, can } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import { checkInside, checkWrite, readFully, settle, untilAborted } from '../io/range.ts';
import { answerRead, inPieces } from '../io/read-call.ts';

export interface CachedDiskOptions {
  /** Bytes of a block, the unit of reading below. 64 KiB unless told. */
  readonly blockBytes?: number;
  /** Bytes that the cache may hold. 16 MiB unless told. */
  readonly maxBytes?: number;
}

/**
 * A layer that remembers blocks of the disk below it, the latest used ones. For storages on which a request is dear;
 * writes go through. Owns the disk below and adds no name to `diskType`.
 */
export class CachedDisk implements DiskModule, Able<'readInto' | 'flush' | 'downstream'> {
  readonly downstream: DiskModule;
  readonly #blockBytes: number;
  readonly #blocks: LoadingCache<Uint8Array>;
  readonly #life = new Lifecycle();

  constructor(downstream: DiskModule, options: CachedDiskOptions = {}) {
    const { blockBytes = 64 * 1024, maxBytes = 16 * 1024 * 1024 } = options;
    if (!Number.isSafeInteger(blockBytes) || blockBytes < 1) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `blockBytes has to be a whole number of 1 or more, not ${blockBytes}`,
      );
    }
    this.downstream = downstream;
    this.#blockBytes = blockBytes;
    this.#blocks = new LoadingCache(maxBytes);
  }

  get diskType(): string {
    return this.downstream.diskType;
  }

  get blockSize(): number {
    return this.downstream.blockSize;
  }

  get writable(): boolean {
    return this.downstream.writable;
  }

  init(io?: Io): Promise<void> {
    return this.#life.init(() => this.downstream.init(io));
  }

  size(): number {
    this.#life.check();
    return this.downstream.size();
  }

  read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    return answerRead(this, offset, length, io, (from, into) =>
      this.#life.whileOpen(() => inPieces(from, into, io, (at, part) => this.#fill(at, part, io))),
    );
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    const filling = this.#fill(offset, into, io);
    return filling && this.#life.whileOpen(() => filling);
  }

  #fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    const waits: Promise<void>[] = [];
    let done = 0;
    while (done < into.length) {
      const inBlock = (offset + done) % this.#blockBytes;
      const length = Math.min(into.length - done, this.#blockBytes - inBlock);
      const part = into.subarray(done, done + length);
      const put = (bytes: Uint8Array): void => part.set(bytes.subarray(inBlock, inBlock + length));
      try {
        const block = this.#block((offset + done - inBlock) / this.#blockBytes);
        if (block instanceof Uint8Array) put(block);
        else waits.push(untilAborted(block, io.signal).then(put));
      } catch (error) {
        if (waits.length === 0) throw error;
        const failure = error instanceof Error ? error : new Error(String(error));
        waits.push(Promise.reject(failure)); // settled after those that have begun
        break;
      }
      done += length;
    }
    return waits.length === 0 ? undefined : settle(waits);
  }

  /** A block by its number, at once when it is cached or the disk below can give it at once. */
  #block(index: number): Uint8Array | Promise<Uint8Array> {
    const known = this.#blocks.peek(index) ?? this.#blocks.loading(index);
    if (known !== undefined) return known;
    const at = index * this.#blockBytes;
    const block = new Uint8Array(Math.min(this.#blockBytes, this.downstream.size() - at));
    const reading = readFully(this.downstream, at, block);
    if (reading !== undefined)
      return this.#blocks.adopt(
        index,
        reading.then(() => block),
        block.length,
      );
    this.#blocks.put(index, block, block.length);
    return block;
  }

  async write(offset: number, data: Uint8Array, io?: Io): Promise<number> {
    const size = this.size();
    if (this.writable) checkWrite(size, offset, data.length);
    return this.#life.whileOpen(() => this.#writeThrough(offset, data, io));
  }

  /** Blocks are dropped before the write and after it: a read that runs beside it may have brought the old ones back. */
  async #writeThrough(offset: number, data: Uint8Array, io: Io | undefined): Promise<number> {
    this.#drop(offset, data.length);
    try {
      return await this.downstream.write(offset, data, io);
    } finally {
      this.#drop(offset, data.length);
    }
  }

  #drop(offset: number, length: number): void {
    const end = (offset + length) / this.#blockBytes;
    for (let index = Math.floor(offset / this.#blockBytes); index < end; index++)
      this.#blocks.invalidate(index);
  }

  async flush(io?: Io): Promise<void> {
    this.#life.check();
    if (can(this.downstream, 'flush')) await this.downstream.flush(io);
  }

  get resize(): Abilities['resize'] | undefined {
    const disk = this.downstream;
    if (!can(disk, 'resize')) return undefined;
    return async (size, io) => {
      const end = Math.max(size, this.size());
      const from = Math.min(size, this.size());
      await this.#life.whileOpen(() => disk.resize(size, io));
      this.#drop(from, end - from); // the block at the end was shorter, or longer
    };
  }

  close(): Promise<void> {
    return this.#life.close(async () => {
      this.#blocks.clear();
      await this.downstream.close();
    });
  }

  getBase(): DiskModule {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
