import { type Abilities, type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { OpenContext } from '../contracts/disk-format.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import type { LayerInfo } from '../contracts/layer-info.ts';
import { Lifecycle } from '../lifecycle.ts';
import { checkInside, checkWrite, clipRange, readTarget } from '../range.ts';
import { ExtentReader } from './extent-reader.ts';
import { writeExtents } from './extent-writer.ts';
import type { Load, Mapping } from './mapping.ts';
import { resolveExtents } from './resolve-extents.ts';

/** What makes a `MappedDisk`. */
export interface MappedDiskOptions {
  /** Name of the layer in the column of `diskType`: `'QCOW'`. */
  readonly type: string;
  /** Name of the format, for errors: `'qcow2'`. */
  readonly format: string;
  /** Owned from here on. */
  readonly downstream: DiskModule;
  readonly context: OpenContext;
  readonly load: Load;
}

/**
 * The one `DiskModule` over a `Mapping`: bounds, clipping, life, ownership and errors are right here once, for every
 * format. `ExtentReader` and `writeExtents` move the bytes.
 */
export class MappedDisk
  implements DiskModule, Able<'readInto' | 'extents' | 'flush' | 'chain' | 'info' | 'downstream'>
{
  readonly diskType: string;
  readonly downstream: DiskModule;
  readonly #options: MappedDiskOptions;
  readonly #life = new Lifecycle();
  #mapping: Mapping | undefined;
  #reader: ExtentReader | undefined;

  constructor(options: MappedDiskOptions) {
    const { type, downstream } = options;
    this.#options = options;
    this.downstream = downstream;
    this.diskType = downstream.diskType === '' ? type : `${type}-${downstream.diskType}`;
  }

  get blockSize(): number {
    return this.downstream.blockSize;
  }

  get writable(): boolean {
    return (
      this.#options.context.mountMode === 'rw' &&
      this.downstream.writable &&
      this.#mapping?.writer !== undefined
    );
  }

  get location(): string | undefined {
    return this.#options.context.location;
  }

  init(io: Io = {}): Promise<void> {
    return this.#life.init(() => this.#open(io));
  }

  async #open(io: Io): Promise<void> {
    const { downstream, context, load } = this.#options;
    try {
      await downstream.init(io);
      const mapping = await load(downstream, context, io);
      const refusal = this.#refusalOf(mapping);
      if (refusal !== undefined) {
        await closeAll([mapping.base, mapping.dataFile]);
        throw refusal;
      }
      this.#mapping = mapping; // from here on close() closes its base and its data file too
      this.#reader = new ExtentReader(downstream, mapping, context.limits);
    } catch (error) {
      throw this.#told(error);
    }
  }

  #refusalOf({ writer, size }: Mapping): DiskError | undefined {
    const { context, format } = this.#options;
    const { maxVirtualSize } = context.limits;
    if (context.mountMode === 'rw' && writer === undefined) {
      const reason = `writing ${format} images is not supported; open it with mountMode 'r'`;
      return new DiskError('ERR_UNSUPPORTED', reason);
    }
    if (size > maxVirtualSize) {
      return new DiskError('ERR_LIMIT', `a disk of ${size} bytes, maxVirtualSize allows ${maxVirtualSize}`);
    }
    return undefined;
  }

  size(): number {
    return this.#ready().size;
  }

  info(): LayerInfo {
    return this.#ready().info;
  }

  chain(): readonly DiskModule[] {
    const { base } = this.#ready();
    if (base === undefined) return [this];
    return [this, ...(can(base, 'chain') ? base.chain() : [base])];
  }

  getBase(): DiskModule {
    return this;
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = readTarget(this.size(), offset, length, io.into);
    const waiting = into.length === 0 ? undefined : this.readInto(offset, into, io);
    if (waiting !== undefined) await waiting;
    return into;
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    this.#life.check();
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    try {
      const waiting = this.#reader?.fill(offset, into, io);
      return waiting === undefined ? undefined : this.#whileOpen(waiting);
    } catch (error) {
      throw this.#told(error);
    }
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const { size, writer } = this.#ready();
    throwIfAborted(io.signal);
    if (!this.writable || writer === undefined) {
      throw this.#told(
        new DiskError('ERR_READ_ONLY', "the disk is read-only; open it with mountMode 'rw' to write"),
      );
    }
    checkWrite(size, offset, data.length);
    await this.#whileOpen(writeExtents(this.downstream, writer, offset, data, io));
    return data.length;
  }

  /** As `Abilities.extents`. Base disks are looked into, one depth for each. */
  extents(offset = 0, length?: number, io: ExtentsIo = {}): AsyncIterable<DiskExtent> {
    const mapping = this.#ready();
    const clipped = clipRange(mapping.size, offset, length);
    return this.#retold(resolveExtents(this.downstream, mapping, offset, clipped, io));
  }

  async *#retold<T>(extents: AsyncIterable<T>): AsyncIterable<T> {
    try {
      for await (const extent of extents) {
        this.#life.check();
        yield extent;
      }
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** Present once the disk is open, where the format has it. So are the two below. */
  get check(): Abilities['check'] | undefined {
    const check = this.#mapping?.check?.bind(this.#mapping);
    return check && ((io = {}) => this.#whileOpen(check(io)));
  }

  get bitmaps(): Abilities['bitmaps'] | undefined {
    const bitmaps = this.#mapping?.bitmaps;
    return bitmaps && (() => bitmaps);
  }

  get bitmapExtents(): Abilities['bitmapExtents'] | undefined {
    const extents = this.#mapping?.bitmapExtents?.bind(this.#mapping);
    return extents && ((name, io = {}) => this.#retold(extents(name, io)));
  }

  async flush(io: Io = {}): Promise<void> {
    const mapping = this.#ready();
    if (!this.writable) return;
    await this.#whileOpen(this.#flush(mapping, io));
  }

  async #flush(mapping: Mapping, io: Io): Promise<void> {
    await mapping.flush?.(io);
    if (can(this.downstream, 'flush')) await this.downstream.flush(io);
  }

  close(): Promise<void> {
    return this.#life.close(async () => {
      const mapping = this.#mapping;
      try {
        if (mapping !== undefined && this.writable) await this.#flush(mapping, {});
      } finally {
        await closeAll([mapping?.base, mapping?.dataFile, this.downstream]);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ready(): Mapping {
    this.#life.check();
    return this.#mapping as Mapping; // the life is open only once the mapping is there
  }

  /** Work that close() waits for, and whose errors name this layer. */
  async #whileOpen<T>(work: Promise<T>): Promise<T> {
    this.#life.enter();
    try {
      return await work;
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#life.leave();
    }
  }

  #told(error: unknown): unknown {
    if (!(error instanceof DiskError)) return error;
    return error.in({ format: this.#options.format, layer: this.location });
  }
}

/** Closes every disk, also when one of them fails; then the first failure is thrown. */
async function closeAll(disks: readonly (DiskModule | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(disks.map(async (disk) => disk?.close()));
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason;
  }
}
