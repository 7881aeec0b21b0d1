import { type Abilities, type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { BitmapStore, SnapshotStore } from '../contracts/changes.ts';
import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import type { LayerInfo } from '../contracts/layer-info.ts';
import type { Limits } from '../contracts/services.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { checkInside, clipRange } from '../io/range.ts';
import { answerRead, inPieces } from '../io/read-call.ts';
import { claimForWriting } from '../io/write-claims.ts';
import { DiskChanges } from './disk-changes.ts';
import { ExtentReader } from './extent-reader.ts';
import { LAYER, type Layer } from './extent-walk.ts';
import { ExtentWriter } from './extent-writer.ts';
import { LayerLife } from './layer-life.ts';
import type { Mapping } from './mapping.ts';
import { closeAll, ownSources } from './own-sources.ts';
import { refusedMapping } from './refused-mapping.ts';
import { resolveExtents } from './resolve-extents.ts';

export interface MappedDiskOptions {
  /** Name of the layer in `diskType`: `'QCOW'`. */
  readonly type: string;
  /** Name of the format, for errors: `'qcow2'`. */
  readonly format: string;
  /** The disk that the image is stored on. The `MappedDisk` owns it. Absent for a disk over `members`. */
  readonly downstream?: DiskModule | undefined;
  /**
   * The open disks that a volume or an array is stored on, by their number in `ExtentList`. The caller owns them: closing the
   * volume leaves them open. `undefined` for a number that no extent has. Default: none.
   */
  readonly members?: readonly (DiskModule | undefined)[] | undefined;
  /** Where the image was opened from, for errors. */
  readonly location?: string | undefined;
  readonly mountMode: MountMode;
  readonly limits: Limits;
  /** Reads and validates the metadata. Runs once, after the downstream disk is open. */
  readonly load: (io: Io) => Promise<Mapping>;
}

/**
 * The `DiskModule` over a `Mapping`. It implements bounds, clipping, lifecycle, ownership and errors for all formats.
 * `ExtentReader` reads, `ExtentWriter` writes, and `DiskChanges` has the abilities that change the disk.
 */
export class MappedDisk implements DiskModule, Able<'readInto' | 'extents' | 'flush' | 'chain' | 'info'> {
  readonly diskType: string;
  /** Absent on a disk over `members`. */
  readonly downstream?: DiskModule;
  readonly #disks: readonly (DiskModule | undefined)[]; // the downstream disk, or the members
  readonly #options: MappedDiskOptions;
  readonly #life: LayerLife;
  #mapping: Mapping | undefined;
  #reader: ExtentReader | undefined;
  #writer: ExtentWriter | undefined; // of a disk that was opened for writing
  #changes: DiskChanges | undefined;
  #unclaim: (() => void) | undefined;

  constructor(options: MappedDiskOptions) {
    const { type, format, downstream, location, members = [] } = options;
    this.#options = options;
    this.#life = new LayerLife(format, location);
    if (downstream !== undefined) this.downstream = downstream;
    this.#disks = downstream === undefined ? members : [downstream];
    this.diskType = [type, downstream?.diskType].filter(Boolean).join('-');
  }

  get blockSize(): number {
    return this.#disks.reduce((most, disk) => Math.max(most, disk?.blockSize ?? 0), 512);
  }

  get writable(): boolean {
    return this.#changes?.areAllowed ?? false;
  }

  get location(): string | undefined {
    return this.#options.location;
  }

  init(io: Io = {}): Promise<void> {
    return this.#life.init(() => this.#open(io));
  }

  async #open(io: Io): Promise<void> {
    const { downstream, location, mountMode, limits, load } = this.#options;
    try {
      await downstream?.init(io);
      const writes = mountMode === 'rw' && this.#disks.every((disk) => disk?.writable ?? true);
      if (writes && downstream !== undefined) this.#unclaim = claimForWriting(downstream, location);
      const mapping = await load(io);
      const sources = mapping.sources ?? this.#disks;
      const refusal = refusedMapping(mapping, sources.length, this.#options);
      if (refusal !== undefined) {
        await closeAll([mapping.base, ...ownSources(mapping, this.#disks)]);
        throw refusal;
      }
      this.#mapping = mapping; // from now on close() also closes its base and its sources
      this.#reader = new ExtentReader(sources, mapping, limits);
      if (writes && mapping.writer !== undefined) {
        this.#writer = new ExtentWriter(downstream, sources, mapping, mapping.writer, this.#reader);
      }
      const { maxVirtualSize } = limits;
      const life = this.#life;
      this.#changes = new DiskChanges({
        life,
        mapping,
        writer: this.#writer,
        disks: sources,
        maxVirtualSize,
      });
    } catch (error) {
      this.#unclaim?.();
      throw this.#life.withContext(error);
    }
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

  read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    return answerRead(this, offset, length, io, (from, into) =>
      this.#life.whileOpen(() => inPieces(from, into, io, (at, part) => this.#fill(at, part, io))),
    );
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    this.#life.check();
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    try {
      const waiting = this.#fill(offset, into, io);
      return waiting && this.#life.whileOpen(() => waiting);
    } catch (error) {
      throw this.#life.withContext(error);
    }
  }

  #fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    const waiting = this.#reader?.fill(offset, into, io);
    return waiting === undefined || this.#writer === undefined ? waiting : this.#writer.epochs.track(waiting);
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    this.#ready();
    const changes = this.#changes as DiskChanges; // set together with the mapping
    await changes.write(offset, data, io);
    return data.length;
  }

  /** Present as in `DiskChanges`, like the getters below. */
  get writeZeroes(): Abilities['writeZeroes'] | undefined {
    return this.#changes?.writeZeroes;
  }

  get discard(): Abilities['discard'] | undefined {
    return this.#changes?.discard;
  }

  get cloneFrom(): Abilities['cloneFrom'] | undefined {
    return this.#changes?.cloneFrom;
  }

  get writeCompressed(): Abilities['writeCompressed'] | undefined {
    return this.#changes?.writeCompressed;
  }

  get resize(): Abilities['resize'] | undefined {
    return this.#changes?.resize;
  }

  get snapshots(): SnapshotStore | undefined {
    return this.#changes?.snapshots;
  }

  get changeBacking(): Abilities['changeBacking'] | undefined {
    return this.#changes?.changeBacking;
  }

  get amend(): Abilities['amend'] | undefined {
    return this.#changes?.amend;
  }

  get bitmapStore(): BitmapStore | undefined {
    return this.#changes?.bitmapStore;
  }

  get repair(): Abilities['repair'] | undefined {
    return this.#changes?.repair;
  }

  /** As in `Abilities.extents`. Follows the chain into base disks, each one level deeper. */
  extents(offset = 0, length?: number, io: ExtentsIo = {}): AsyncIterable<DiskExtent> {
    const clipped = clipRange(this.#ready().size, offset, length);
    return resolveExtents(this[LAYER], offset, clipped, io);
  }

  /** For the extents of disks that have this disk as their base. */
  get [LAYER](): Layer {
    const mapping = this.#ready();
    const sources = mapping.sources ?? this.#disks;
    return { downstream: this.downstream, sources, mapping, life: this.#life };
  }

  #withContext<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#life.withContext(error);
    }
  }

  async *#eachWithContext<T>(extents: AsyncIterable<T>): AsyncIterable<T> {
    try {
      for await (const extent of extents) {
        this.#life.check();
        yield extent;
      }
    } catch (error) {
      throw this.#life.withContext(error);
    }
  }

  /** Present once the disk is open, if the format supports it. The same holds for the two getters below. */
  get check(): Abilities['check'] | undefined {
    const check = this.#mapping?.check?.bind(this.#mapping);
    return check && ((io = {}) => this.#life.whileOpen(() => check(io)));
  }

  get bitmaps(): Abilities['bitmaps'] | undefined {
    const bitmaps = this.#mapping?.bitmaps;
    return bitmaps && (() => bitmaps);
  }

  get bitmapExtents(): Abilities['bitmapExtents'] | undefined {
    const extents = this.#mapping?.bitmapExtents?.bind(this.#mapping);
    return extents && ((name, io = {}) => this.#eachWithContext(this.#withContext(() => extents(name, io))));
  }

  async flush(io: Io = {}): Promise<void> {
    const mapping = this.#ready();
    if (!this.writable) return;
    await this.#life.whileOpen(() => this.#flush(mapping, io));
  }

  async #flush(mapping: Mapping, io: Io): Promise<void> {
    await mapping.flush?.(io);
    for (const disk of [...ownSources(mapping, this.#disks), ...this.#disks]) {
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
        throw this.#life.withContext(error);
      } finally {
        this.#unclaim?.();
        const own = mapping === undefined ? [] : ownSources(mapping, this.#disks);
        await closeAll([mapping?.base, ...own, this.downstream]);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ready(): Mapping {
    this.#life.check();
    return this.#mapping as Mapping; // the lifecycle opens only after the mapping is set
  }
}
