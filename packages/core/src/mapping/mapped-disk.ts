import { checkBytes } from '../binary/safe-number.ts';
import { type Abilities, type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { BitmapStore, SnapshotStore } from '../contracts/changes.ts';
import type { OpenContext } from '../contracts/disk-format.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import type { LayerInfo } from '../contracts/layer-info.ts';
import { Lifecycle } from '../lifecycle.ts';
import { checkInside, checkWrite, clipRange, readTarget } from '../range.ts';
import { claimForWriting } from '../write-claims.ts';
import { ExtentReader } from './extent-reader.ts';
import { ExtentWriter } from './extent-writer.ts';
import type { Load, Mapping } from './mapping.ts';
import type { MappingWriter } from './mapping-writer.ts';
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
 * format. `ExtentReader` and `ExtentWriter` move the bytes.
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
  /** On a disk that was opened for writing. */
  #writer: ExtentWriter | undefined;
  #unclaim: (() => void) | undefined;

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
    return this.#writer !== undefined && this.#mapping?.writer?.refusal === undefined;
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
      const writes = context.mountMode === 'rw' && downstream.writable;
      if (writes) this.#unclaim = claimForWriting(downstream, context.location);
      const mapping = await load(downstream, context, io);
      const refusal = this.#refusalOf(mapping);
      if (refusal !== undefined) {
        await closeAll([mapping.base, mapping.dataFile]);
        throw refusal;
      }
      this.#mapping = mapping; // from here on close() closes its base and its data file too
      this.#reader = new ExtentReader(downstream, mapping, context.limits);
      if (writes && mapping.writer !== undefined) {
        this.#writer = new ExtentWriter(downstream, mapping, mapping.writer, this.#reader);
      }
    } catch (error) {
      this.#unclaim?.();
      throw this.#told(error);
    }
  }

  #refusalOf({ writer, size }: Mapping): DiskError | undefined {
    const { context, format } = this.#options;
    if (context.mountMode === 'rw' && writer === undefined) {
      const reason = `writing ${format} images is not supported; open it with mountMode 'r'`;
      return new DiskError('ERR_UNSUPPORTED', reason);
    }
    return this.#tooLarge(size);
  }

  #tooLarge(size: number): DiskError | undefined {
    const { maxVirtualSize } = this.#options.context.limits;
    if (size <= maxVirtualSize) return undefined;
    return new DiskError('ERR_LIMIT', `a disk of ${size} bytes, maxVirtualSize allows ${maxVirtualSize}`);
  }

  #checkSize(size: number): void {
    const refusal = this.#tooLarge(size);
    if (refusal !== undefined) throw this.#told(refusal);
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
      if (waiting === undefined) return undefined;
      return this.#whileOpen(this.#writer === undefined ? waiting : this.#writer.epochs.track(waiting));
    } catch (error) {
      throw this.#told(error);
    }
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    await this.#change(offset, data.length, io, (writer) => writer.put(offset, data, io));
    return data.length;
  }

  /** This and what follows is present on a disk that is open for writing, where the format has it. */
  get writeZeroes(): Abilities['writeZeroes'] | undefined {
    if (!this.writable) return undefined;
    return (offset, length, io = {}) =>
      this.#change(offset, length, io, (writer) => writer.zero(offset, length, io.unmap ?? false, io));
  }

  get discard(): Abilities['discard'] | undefined {
    if (this.#part('discard') === undefined) return undefined;
    return (offset, length, io = {}) =>
      this.#change(offset, length, io, (writer) => writer.discard(offset, length, io));
  }

  get writeCompressed(): Abilities['writeCompressed'] | undefined {
    if (this.#part('compress') === undefined) return undefined;
    return (offset, cluster, io = {}) =>
      this.#change(offset, cluster.length, io, (writer) => writer.compress(offset, cluster, io));
  }

  get resize(): Abilities['resize'] | undefined {
    const format = this.#part('resize');
    if (format === undefined) return undefined;
    return async (size, io = {}) => {
      checkBytes(size, 'size');
      if (size < this.size() && io.shrink !== true) {
        const reason = `a size of ${size} bytes is less than ${this.size()}: what is past it would be lost; \`shrink\` allows it`;
        throw this.#told(new DiskError('ERR_ARGUMENT', reason));
      }
      this.#checkSize(size);
      await this.#alone(io, () => format.resize?.(size, io));
    };
  }

  get snapshots(): SnapshotStore | undefined {
    const store = this.#part('snapshots')?.snapshots;
    if (store === undefined) return undefined;
    return {
      list: () => store.list(),
      create: (name, io = {}) => this.#alone(io, () => store.create(name, io)),
      apply: (idOrName, io = {}) => this.#alone(io, () => store.apply(idOrName, io)),
      delete: (idOrName, io = {}) => this.#alone(io, () => store.delete(idOrName, io)),
    };
  }

  get changeBacking(): Abilities['changeBacking'] | undefined {
    const format = this.#part('changeBacking');
    return format && ((backing, io = {}) => this.#alone(io, () => format.changeBacking?.(backing, io)));
  }

  get bitmapStore(): BitmapStore | undefined {
    const store = this.#part('bitmapStore')?.bitmapStore;
    if (store === undefined) return undefined;
    return {
      add: (bitmap, io = {}) => this.#alone(io, () => store.add(bitmap, io)),
      remove: (name, io = {}) => this.#alone(io, () => store.remove(name, io)),
      clear: (name, io = {}) => this.#alone(io, () => store.clear(name, io)),
      setAuto: (name, auto, io = {}) => this.#alone(io, () => store.setAuto(name, auto, io)),
    };
  }

  /** Also on a disk that is too damaged to be written. */
  get repair(): Abilities['repair'] | undefined {
    const repair = this.#mapping?.writer?.repair?.bind(this.#mapping.writer);
    if (repair === undefined || this.#writer === undefined) return undefined;
    return (options) => this.#alone(options, () => repair(options));
  }

  /** The format's writer, if the disk can be written and the writer has this. */
  #part(ability: keyof MappingWriter): MappingWriter | undefined {
    const writer = this.writable ? this.#mapping?.writer : undefined;
    return writer?.[ability] === undefined ? undefined : writer;
  }

  /** Changes a range of the disk. */
  async #change(
    offset: number,
    length: number,
    io: Io,
    work: (writer: ExtentWriter) => Promise<void>,
  ): Promise<void> {
    const { size, writer: format } = this.#ready();
    throwIfAborted(io.signal);
    const writer = this.#writer;
    if (writer === undefined || format?.refusal !== undefined) {
      const reason = format?.refusal?.reason ?? "the disk is read-only; open it with mountMode 'rw' to write";
      throw this.#told(new DiskError('ERR_READ_ONLY', reason));
    }
    checkWrite(size, offset, length);
    if (length > 0) await this.#whileOpen(work(writer));
  }

  /** Work on the disk as a whole: nothing else writes meanwhile. */
  async #alone<T>(io: Io, work: () => Promise<T> | undefined): Promise<T> {
    this.#ready();
    throwIfAborted(io.signal);
    const writer = this.#writer as ExtentWriter; // whoever asks for such work is there only with it
    return await this.#whileOpen(writer.alone(io, async () => (await work()) as T));
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
    for (const disk of [mapping.dataFile, this.downstream]) {
      if (disk !== undefined && can(disk, 'flush')) await disk.flush(io);
    }
  }

  async #finish(mapping: Mapping): Promise<void> {
    await this.#flush(mapping, {});
    if (mapping.writer?.finish === undefined) return;
    await mapping.writer.finish();
    await this.#flush(mapping, {});
  }

  close(): Promise<void> {
    return this.#life.close(async () => {
      const mapping = this.#mapping;
      try {
        if (mapping !== undefined && this.writable) await this.#finish(mapping);
      } catch (error) {
        throw this.#told(error);
      } finally {
        this.#unclaim?.();
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
