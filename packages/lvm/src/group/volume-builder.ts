import { DiskError, type DiskModule, type Limits, quote } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { AreaModel, LvModel, SegmentModel } from '../metadata/group-model.ts';
import type { SegmentContext } from '../segment-type.ts';
import { SEGMENT_TYPES } from '../segments/segment-types.ts';
import type { LazyTable } from '../targets/lazy-table.ts';
import type { Source, Sources } from '../targets/sources.ts';
import { concatenate, place, slice, type Target } from '../targets/target.ts';
import type { TargetReader } from '../targets/target-reader.ts';

/** A logical volume that is ready to be read. */
export interface BuiltVolume {
  readonly model: LvModel;
  readonly target: Target;
  /** All disks below the volume, through every level of logical volumes. */
  readonly sources: ReadonlySet<Source>;
  /** Tables that must be loaded before the first `translate`. */
  readonly tables: ReadonlySet<LazyTable>;
  /** The segment type that prevents writes; `undefined` if all segments can be written. */
  readonly readOnlyType: string | undefined;
  /** Parts of the volume are computed from parity. */
  readonly isComputed: boolean;
  /** Conditions that the caller must know, although the volume can be read. */
  readonly warnings: readonly string[];
  /** An image or a leg is missing, and copies or parity replace it. */
  readonly isDegraded: boolean;
}

/** The volume group as a builder sees it. */
export interface BuilderGroup {
  readonly extentBytes: number;
  readonly limits: Limits;
  readonly reader: TargetReader;
  readonly sources: Sources;
  /** The place of an area on its physical volume; `undefined` if no physical volume has that name. */
  physical(area: AreaModel, size: number): { readonly source: Source; readonly at: number } | undefined;
  /** Builds another logical volume below the current one. */
  within(name: string): Promise<BuiltVolume>;
  model(name: string): LvModel;
  once<T>(key: string, make: () => T): T;
}

/** Bounds the work for one volume. */
const MAX_SEGMENTS = 100_000;

/** Builds one logical volume from its segments and collects everything it depends on. */
export class VolumeBuilder implements SegmentContext {
  readonly lv: LvModel;
  readonly #group: BuilderGroup;
  readonly #sources = new Set<Source>();
  readonly #tables = new Set<LazyTable>();
  readonly #warnings = new Set<string>();
  #isDegraded = false;
  #readOnlyType: string | undefined;
  /** A volume below is computed from parity. */
  #isComputed = false;
  /** A segment of this volume is computed from parity. */
  #computesItself = false;

  constructor(group: BuilderGroup, lv: LvModel) {
    this.#group = group;
    this.lv = lv;
  }

  get extentBytes(): number {
    return this.#group.extentBytes;
  }
  get limits(): Limits {
    return this.#group.limits;
  }
  get reader(): TargetReader {
    return this.#group.reader;
  }

  async build(): Promise<BuiltVolume> {
    const { segments, extents } = this.lv;
    if (segments.length > MAX_SEGMENTS)
      throw new DiskError(
        'ERR_LIMIT',
        `the volume has ${segments.length} segments; at most ${MAX_SEGMENTS} are read`,
      );
    if (!Number.isSafeInteger(extents * this.extentBytes))
      throw new DiskError(
        'ERR_CORRUPT',
        `the volume has ${extents} extents of ${this.extentBytes} bytes: more than 2^53 - 1 bytes`,
      );
    const targets: Target[] = [];
    for (const segment of segments) {
      targets.push(await this.#segment(segment));
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    return {
      model: this.lv,
      target: concatenate(targets),
      sources: this.#sources,
      tables: this.#tables,
      readOnlyType: this.#readOnlyType,
      isComputed: this.#isComputed || this.#computesItself,
      warnings: [...this.#warnings],
      isDegraded: this.#isDegraded,
    };
  }

  async #segment(segment: SegmentModel): Promise<Target> {
    const type = SEGMENT_TYPES.get(segment.type);
    if (type === undefined)
      throw new DiskError('ERR_UNSUPPORTED', `the segment type ${quote(segment.type)} is not known`);
    if (!type.writable) this.#readOnlyType ??= segment.type;
    const size = segment.extents * this.extentBytes;
    const target = await type.open(segment, size, this);
    return slice(target, 0, Math.min(size, target.size)); // a RAID segment includes reshape space that holds no data
  }

  async area(area: AreaModel, size: number): Promise<Target> {
    const physical = this.#group.physical(area, size);
    if (physical === undefined)
      return slice(await this.volume(area.name), area.extent * this.extentBytes, size);
    this.#sources.add(physical.source);
    return place(physical.source, physical.at, size);
  }

  async volume(name: string): Promise<Target> {
    const { target, sources, tables, readOnlyType, isComputed, warnings, isDegraded } =
      await this.#group.within(name);
    for (const source of sources) this.#sources.add(source);
    for (const table of tables) this.#tables.add(table);
    this.#readOnlyType ??= readOnlyType;
    this.#isComputed ||= isComputed;
    for (const warning of warnings) this.#warnings.add(warning);
    this.#isDegraded ||= isDegraded;
    return target;
  }

  model(name: string): LvModel {
    return this.#group.model(name);
  }

  once<T>(key: string, make: () => T): T {
    return this.#group.once(key, make);
  }

  async computed(disk: DiskModule, name: string): Promise<Target> {
    // With each further level, one byte costs as many reads as there are images, multiplied.
    if (this.#isComputed)
      throw new DiskError(
        'ERR_LIMIT',
        'a RAID set with missing images is stacked on another one with missing images; only one level is rebuilt',
      );
    await disk.init();
    const source = this.#group.sources.add(disk, `${this.lv.name}, ${name}`, true);
    this.#sources.add(source);
    this.#computesItself = true;
    return place(source, 0, disk.size());
  }

  needs(table: LazyTable): void {
    this.#tables.add(table);
  }

  warn(warning: string): void {
    this.#warnings.add(warning);
  }

  degraded(warning: string): void {
    this.#warnings.add(warning);
    this.#isDegraded = true;
  }
}
