import { checkBytes } from '../binary/safe-number.ts';
import { type Abilities, type Ability, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { DiskError } from '../errors/disk-error.ts';
import { checkWrite, clipRange, readFully, writeFully } from '../io/range.ts';
import { placeFrom } from '../mapping/extent-source.ts';
import { DiskBase } from './disk-base.ts';

/** How a filter differs from the disk below it. */
export interface PassThroughOptions {
  /** Byte offset in the disk below at which the filter begins. Default: 0. */
  readonly start?: number | undefined;
  /** Size of the filter in bytes. Default: up to the end of the disk below, also when that end changes. */
  readonly length?: number | undefined;
  /**
   * Makes the filter a layer of its own with this name. It then does not pass abilities that describe or change the layer below.
   * Default: the filter adds no layer.
   */
  readonly diskType?: string | undefined;
  readonly location?: string | undefined;
  /** Refuses writes, and every ability that changes the disk. Default: false. */
  readonly readOnly?: boolean | undefined;
  /** The only abilities that the filter passes. Default: all that survive the shift of offsets. */
  readonly only?: readonly Ability[] | undefined;
  /** Runs when the filter closes. Default: closes the disk below. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** Abilities whose arguments are guest ranges: they survive a shift of offsets. */
const OF_RANGES: readonly Ability[] = ['extents', 'flush', 'discard', 'writeZeroes'];
/** Abilities that change the disk. */
const CHANGES: ReadonlySet<Ability> = new Set([
  'cloneFrom',
  'discard',
  'writeZeroes',
  'writeCompressed',
  'resize',
  'snapshots',
  'repair',
  'changeBacking',
  'amend',
  'bitmapStore',
]);
/** Abilities of a layer. A filter with a `diskType` of its own is another layer, so it has none of them. */
const OF_LAYER: ReadonlySet<Ability> = new Set<Ability>([
  'writeCompressed',
  'snapshots',
  'repair',
  'changeBacking',
  'amend',
  'bitmapStore',
  'chain',
  'info',
  'check',
  'bitmaps',
  'bitmapExtents',
]);

/** Hidden from the callers of a disk. */
const SHOWN: unique symbol = Symbol('shown');

/**
 * A disk that shows the bytes of another disk, shifted by `start`. It has every ability of the disk below that survives the
 * shift. Subclasses override what they change and inherit the rest.
 */
export class PassThroughDisk extends DiskBase {
  readonly #disk: DiskModule;
  readonly #options: PassThroughOptions;
  readonly #start: number;
  readonly #shifts: boolean;

  constructor(disk: DiskModule, options: PassThroughOptions = {}) {
    super();
    const { start = 0, length } = options;
    checkBytes(start, 'start');
    if (length !== undefined) checkBytes(length, 'length');
    this.#disk = disk;
    this.#options = options;
    this.#start = start;
    this.#shifts = start !== 0 || length !== undefined;
  }

  get diskType(): string {
    return this.#options.diskType ?? this.#disk.diskType;
  }

  get blockSize(): number {
    return this.#disk.blockSize;
  }

  get writable(): boolean {
    return this.#disk.writable && this.#options.readOnly !== true;
  }

  get location(): string | undefined {
    return this.#options.location ?? (can(this.#disk, 'location') ? this.#disk.location : undefined);
  }

  protected get readOnlyReason(): string {
    return 'the disk is borrowed read-only';
  }

  protected async open(io: Io): Promise<void> {
    await this.#disk.init(io);
    const { length = 0 } = this.#options;
    const left = this.#disk.size() - this.#start;
    if (left >= length) return;
    throw new DiskError(
      'ERR_ARGUMENT',
      `a slice of ${length} bytes from byte ${this.#start} on does not fit into ${this.#disk.size()} bytes`,
      { layer: this.location },
    );
  }

  protected length(): number {
    return this.#options.length ?? this.#disk.size() - this.#start;
  }

  protected fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    return readFully(this.#disk, this.#start + offset, into, io);
  }

  override async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const size = this.size();
    if (this.#options.readOnly) throw this.readOnly();
    if (this.writable) checkWrite(size, offset, data.length);
    // The disk below checks the rest, and its errors name that disk.
    await this.life.whileOpen(() => this.put(offset, data, io));
    return data.length;
  }

  protected put(offset: number, data: Uint8Array, io: Io): Promise<void> {
    return writeFully(this.#disk, this.#start + offset, data, io);
  }

  protected async release(): Promise<void> {
    await (this.#options.close ?? (() => this.#disk.close()))();
  }

  /** The disk below if it has the ability and the filter passes it, else `undefined`. */
  #having<A extends Ability>(ability: A): (DiskModule & Pick<Abilities, A>) | undefined {
    const { only, readOnly = false, diskType } = this.#options;
    if (only !== undefined && !only.includes(ability)) return undefined;
    if (this.#shifts && !OF_RANGES.includes(ability)) return undefined;
    if (readOnly && CHANGES.has(ability)) return undefined;
    if (diskType !== undefined && OF_LAYER.has(ability)) return undefined;
    return can(this.#disk, ability) ? this.#disk : undefined;
  }

  get extents(): Abilities['extents'] | undefined {
    const { only } = this.#options;
    if (only !== undefined && !only.includes('extents')) return undefined;
    return (offset, length, io) => this.#extents(offset, length, io);
  }

  async *#extents(offset = 0, length?: number, io?: ExtentsIo): AsyncIterable<DiskExtent> {
    const clipped = clipRange(this.size(), offset, length);
    if (clipped === 0) return;
    const at = this.#start + offset;
    const disk = this.#disk;
    if (!can(disk, 'extents')) {
      yield { offset, length: clipped, kind: 'data', depth: 0, present: true, at };
      return;
    }
    const isLayer = this.#options.diskType !== undefined;
    for await (const extent of disk.extents(at, clipped, io)) {
      const shifted = this.#start === 0 ? extent : { ...extent, offset: extent.offset - this.#start };
      // A filter with a `diskType` hides its downstream disk, so `sourceOf` cannot follow it: each extent names its source.
      yield isLayer ? { ...shifted, ...placeFrom(disk, extent, disk) } : shifted;
    }
  }

  /** Does nothing if the disk below has no `flush`. */
  async flush(io?: Io): Promise<void> {
    await this.life.whileOpen(async () => {
      if (can(this.#disk, 'flush')) await this.#disk.flush(io);
    });
  }

  get discard(): Abilities['discard'] | undefined {
    const disk = this.#having('discard');
    return (
      disk &&
      ((offset, length, io) =>
        this.#change(offset, length, () => disk.discard(this.#start + offset, length, io)))
    );
  }

  get writeZeroes(): Abilities['writeZeroes'] | undefined {
    const disk = this.#having('writeZeroes');
    return (
      disk &&
      ((offset, length, io) =>
        this.#change(offset, length, () => disk.writeZeroes(this.#start + offset, length, io)))
    );
  }

  async #change(offset: number, length: number, change: () => Promise<void>): Promise<void> {
    checkWrite(this.size(), offset, length);
    await this.life.whileOpen(change);
  }

  get cloneFrom(): Abilities['cloneFrom'] | undefined {
    const disk = this.#having('cloneFrom');
    return disk && ((source) => this.life.whileOpen(() => disk.cloneFrom(source)));
  }

  get writeCompressed(): Abilities['writeCompressed'] | undefined {
    const disk = this.#having('writeCompressed');
    return (
      disk && ((offset, cluster, io) => this.life.whileOpen(() => disk.writeCompressed(offset, cluster, io)))
    );
  }

  get resize(): Abilities['resize'] | undefined {
    const disk = this.#having('resize');
    return disk && ((size, io) => this.life.whileOpen(() => disk.resize(size, io)));
  }

  get repair(): Abilities['repair'] | undefined {
    const disk = this.#having('repair');
    return disk && ((options) => this.life.whileOpen(() => disk.repair(options)));
  }

  get changeBacking(): Abilities['changeBacking'] | undefined {
    const disk = this.#having('changeBacking');
    return disk && ((backing, io) => this.life.whileOpen(() => disk.changeBacking(backing, io)));
  }

  get amend(): Abilities['amend'] | undefined {
    const disk = this.#having('amend');
    return disk && ((options) => this.life.whileOpen(() => disk.amend(options)));
  }

  get check(): Abilities['check'] | undefined {
    const disk = this.#having('check');
    return disk && ((io) => this.life.whileOpen(() => disk.check(io)));
  }

  get snapshots(): Abilities['snapshots'] | undefined {
    return this.#having('snapshots')?.snapshots;
  }

  get bitmapStore(): Abilities['bitmapStore'] | undefined {
    return this.#having('bitmapStore')?.bitmapStore;
  }

  get info(): Abilities['info'] | undefined {
    const disk = this.#having('info');
    return disk && (() => disk.info());
  }

  get bitmaps(): Abilities['bitmaps'] | undefined {
    const disk = this.#having('bitmaps');
    return disk && (() => disk.bitmaps());
  }

  get bitmapExtents(): Abilities['bitmapExtents'] | undefined {
    const disk = this.#having('bitmapExtents');
    return disk && ((name, io) => disk.bitmapExtents(name, io));
  }

  get chain(): Abilities['chain'] | undefined {
    const disk = this.#having('chain');
    return disk && (() => [this, ...disk.chain().slice(1)]);
  }

  /** For `withoutHandles`. A subclass may change bytes on their way, and a slice has other offsets. */
  [SHOWN](): DiskModule {
    return this.constructor === PassThroughDisk && !this.#shifts ? withoutHandles(this.#disk) : this;
  }

  /** The downstream disk of the disk below, because a filter adds no layer. A slice returns the disk that it is cut from. */
  get downstream(): DiskModule | undefined {
    if (this.#options.diskType !== undefined) return undefined;
    if (this.#shifts) return this.#disk;
    return can(this.#disk, 'downstream') ? this.#disk.downstream : undefined;
  }
}

/** The disk that a plain handle shows as it is. A disk that is no such handle is returned itself. */
export function withoutHandles(disk: DiskModule): DiskModule {
  return disk instanceof PassThroughDisk ? disk[SHOWN]() : disk;
}

/** Makes a filter that changes only what the options name. Closing the filter closes the disk, unless `close` replaces that. */
export function passThrough(disk: DiskModule, options: PassThroughOptions = {}): DiskModule {
  return new PassThroughDisk(disk, options);
}
