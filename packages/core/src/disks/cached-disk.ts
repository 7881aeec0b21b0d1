import { awaitAll, rejected } from '../async/await-all.ts';
import type { MaybePromise } from '../async/maybe-promise.ts';
import { untilAborted } from '../async/until-aborted.ts';
import { LoadingCache } from '../cache/loading-cache.ts';
import { type Abilities, type Able, can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { checkWrite, readFully, writeFully } from '../io/range.ts';
import { DiskBase } from './disk-base.ts';

export interface CachedDiskOptions {
  /** Bytes of a block. The cache reads whole blocks from the disk below. Default: 64 KiB. */
  readonly blockBytes?: number;
  /** The most bytes that the cache holds. Default: 16 MiB. */
  readonly maxBytes?: number;
}

/**
 * A cache of the most recently used blocks of the disk below, for storages on which each request is slow. Writes go through to
 * the disk below. Owns that disk, and adds no name to `diskType`.
 */
export class CachedDisk extends DiskBase implements Able<'flush' | 'downstream'> {
  readonly downstream: DiskModule;
  readonly #blockBytes: number;
  readonly #blocks: LoadingCache<Uint8Array>;

  constructor(downstream: DiskModule, options: CachedDiskOptions = {}) {
    super();
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

  protected get readOnlyReason(): string {
    return 'the disk below is read-only';
  }

  protected open(io: Io): Promise<void> {
    return this.downstream.init(io);
  }

  protected length(): number {
    return this.downstream.size();
  }

  protected fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
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
        waits.push(rejected(error)); // reported after the reads in flight have ended
        break;
      }
      done += length;
    }
    return waits.length === 0 ? undefined : awaitAll(waits);
  }

  /** Returns a block by its number. Synchronous if the block is cached or the disk below reads synchronously. */
  #block(index: number): MaybePromise<Uint8Array> {
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

  override async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const size = this.size();
    if (this.writable) checkWrite(size, offset, data.length);
    // The disk below checks the rest, and its errors name that disk.
    await this.life.whileOpen(() => this.put(offset, data, io));
    return data.length;
  }

  /** Invalidates the blocks before the write, and again after it: a concurrent read may have cached the old bytes in between. */
  protected async put(offset: number, data: Uint8Array, io: Io): Promise<void> {
    this.#invalidate(offset, data.length);
    try {
      await writeFully(this.downstream, offset, data, io);
    } finally {
      this.#invalidate(offset, data.length);
    }
  }

  #invalidate(offset: number, length: number): void {
    const end = (offset + length) / this.#blockBytes;
    for (let index = Math.floor(offset / this.#blockBytes); index < end; index++)
      this.#blocks.invalidate(index);
  }

  async flush(io?: Io): Promise<void> {
    this.life.check();
    if (can(this.downstream, 'flush')) await this.downstream.flush(io);
  }

  get resize(): Abilities['resize'] | undefined {
    const disk = this.downstream;
    if (!can(disk, 'resize')) return undefined;
    return async (size, io) => {
      const end = Math.max(size, this.size());
      const from = Math.min(size, this.size());
      await this.life.whileOpen(() => disk.resize(size, io));
      this.#invalidate(from, end - from); // the length of the last block has changed
    };
  }

  protected async release(): Promise<void> {
    this.#blocks.clear();
    await this.downstream.close();
  }
}
