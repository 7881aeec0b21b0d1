import { breathe, DiskError, type DiskModule, type LayoutContext, quote } from '@diskstack/core';
import { type Device, DeviceTable } from '../devices/device-space.ts';
import {
  type AreaModel,
  decodeLv,
  decodePv,
  type GroupModel,
  type LvModel,
  type SegmentModel,
} from '../metadata/group-model.ts';
import type { FoundGroup } from '../pvs/choose-groups.ts';
import type { PhysicalVolume } from '../pvs/physical-volume.ts';
import type { LazyTable, SegmentContext } from '../segment-type.ts';
import { SEGMENT_TYPES } from '../segments/segment-types.ts';
import { concatenate, place, slice, type Target } from '../targets/target.ts';
import { TargetReader } from '../targets/target-reader.ts';

/** A logical volume that can be read. */
export interface BuiltVolume {
  readonly model: LvModel;
  readonly target: Target;
  /** What it stands on. */
  readonly devices: ReadonlySet<Device>;
  /** To be read before its bytes can be. */
  readonly tables: ReadonlySet<LazyTable>;
  /** The segment type that keeps it from being written; `undefined` where writes go through. */
  readonly readOnlyType: string | undefined;
  /** Some of it is computed from parity. */
  readonly isComputed: boolean;
  /** What does not keep it from being read. */
  readonly warnings: readonly string[];
  /** Something that it is made of is missing, and copies or parity stand in for it. */
  readonly isDegraded: boolean;
}

/** Volumes inside of each other: lvm2 makes about five. */
const MAX_DEPTH = 24;
/** Segments of one volume. */
const MAX_SEGMENTS = 100_000;

/**
 * Makes the logical volumes of a group, each once and when it is asked for. They are made one after another, so what is
 * being made is the way from the top: a volume that comes twice on it is in itself.
 */
export class GroupVolumes {
  readonly table: DeviceTable = new DeviceTable();
  readonly reader: TargetReader = new TargetReader(this.table);
  readonly group: GroupModel;
  readonly #members: ReadonlyMap<string, PhysicalVolume>;
  /** By the disk of the first of them: physical volumes that say that they are the same one. */
  readonly #copies = new Map<DiskModule, readonly PhysicalVolume[]>();
  readonly #context: LayoutContext;
  readonly #built = new Map<string, BuiltVolume | DiskError>();
  readonly #once = new Map<string, unknown>();
  readonly #path: string[] = [];
  #queue: Promise<unknown> = Promise.resolve();

  constructor({ group, members, copies }: FoundGroup, context: LayoutContext) {
    this.group = group;
    this.#members = members;
    this.#context = context;
    for (const same of copies) {
      const [first] = same;
      if (first !== undefined) this.#copies.set(first.disk, same);
    }
    for (const { disk, path } of members.values()) this.table.add(disk, path);
  }

  /** The volume of this name, hidden ones too. */
  built(name: string): Promise<BuiltVolume> {
    const building = this.#queue.then(() => this.#make(name));
    this.#queue = building.catch(() => {});
    return building;
  }

  model(name: string): LvModel {
    const section = this.group.logicalVolumes.get(name);
    if (section === undefined)
      throw new DiskError('ERR_CORRUPT', `the volume group has no volume ${quote(name)}`);
    return decodeLv(section);
  }

  async #make(name: string): Promise<BuiltVolume> {
    const known = this.#built.get(name);
    if (known instanceof DiskError) throw known;
    if (known !== undefined) return known;
    if (this.#path.includes(name))
      throw new DiskError('ERR_CORRUPT', `the volume ${quote(name)} is in itself`);
    if (this.#path.length >= MAX_DEPTH)
      throw new DiskError('ERR_LIMIT', `volumes more than ${MAX_DEPTH} deep in each other`);
    this.#path.push(name);
    try {
      const built = await new VolumeBuilder(this, this.model(name)).build();
      this.#built.set(name, built);
      return built;
    } catch (error) {
      if (error instanceof DiskError) this.#built.set(name, error);
      throw error;
    } finally {
      this.#path.pop();
    }
  }

  /** For whoever is being made: another volume, on the way from the top. */
  within(name: string): Promise<BuiltVolume> {
    return this.#make(name);
  }

  get limits(): LayoutContext['limits'] {
    return this.#context.limits;
  }

  once<T>(key: string, make: () => T): T {
    if (!this.#once.has(key)) this.#once.set(key, make());
    return this.#once.get(key) as T;
  }

  /** The physical volumes that a volume is on and that are there more than once, as numbers of the members. */
  copiesBelow({ devices }: BuiltVolume): readonly (readonly number[])[] {
    return this.#samesBelow(devices).map((same) => same.map(({ member }) => member));
  }

  /** Nothing says which of two copies is the current one. */
  refuseCopies(built: BuiltVolume | undefined): void {
    const [same] = built === undefined ? [] : this.#samesBelow(built.devices);
    const [first] = same ?? [];
    if (same === undefined || first === undefined) return;
    throw new DiskError(
      'ERR_ARGUMENT',
      `the physical volume ${quote(first.header.uuid)} is there ${same.length} times, as ${same.map(({ path }) => quote(path)).join(' and ')}`,
    );
  }

  #samesBelow(devices: ReadonlySet<Device>): readonly (readonly PhysicalVolume[])[] {
    return [...devices].flatMap(({ disk }) => {
      const same = this.#copies.get(disk);
      return same === undefined ? [] : [same];
    });
  }

  /** Where bytes of a physical volume are; `undefined` where no PV has that name. */
  physical(
    { name, extent }: AreaModel,
    size: number,
  ): { readonly device: Device; readonly at: number } | undefined {
    const section = this.group.physicalVolumes.get(name);
    if (section === undefined) return undefined;
    const { id, status, firstExtentAt, extents } = decodePv(section);
    const member = this.#members.get(id);
    if (member === undefined)
      throw new DiskError('ERR_NOT_FOUND', `the physical volume ${quote(name)} (${quote(id)}) is missing`);
    if (status.includes('MISSING'))
      throw new DiskError(
        'ERR_NOT_FOUND',
        `the physical volume ${quote(name)} has been missing: what it holds may be old`,
      );
    const { extentBytes } = this.group;
    if (extent * extentBytes + size > extents * extentBytes)
      throw new DiskError(
        'ERR_CORRUPT',
        `${size} bytes from extent ${extent} on of ${quote(name)}, which has ${extents} extents`,
      );
    const at = firstExtentAt + extent * extentBytes;
    const { disk, path } = member;
    if (!Number.isSafeInteger(at + size) || at + size > disk.size()) {
      const reason = `the bytes up to ${at + size} of ${quote(path)} are needed, which ends at ${disk.size()}`;
      throw new DiskError('ERR_TRUNCATED', reason);
    }
    const device = this.table.add(disk, path);
    return { device, at: device.base + at };
  }
}

/** Makes one logical volume, and gathers what it stands on. */
class VolumeBuilder implements SegmentContext {
  readonly lv: LvModel;
  readonly #group: GroupVolumes;
  readonly #devices = new Set<Device>();
  readonly #tables = new Set<LazyTable>();
  readonly #warnings = new Set<string>();
  #isDegraded = false;
  #readOnlyType: string | undefined;
  /** Of what it stands on, and of its own. */
  #isComputed = false;
  #computesItself = false;

  constructor(group: GroupVolumes, lv: LvModel) {
    this.#group = group;
    this.lv = lv;
  }

  get extentBytes(): number {
    return this.#group.group.extentBytes;
  }
  get limits(): LayoutContext['limits'] {
    return this.#group.limits;
  }
  get reader(): TargetReader {
    return this.#group.reader;
  }

  async build(): Promise<BuiltVolume> {
    const { segments, extents } = this.lv;
    if (segments.length > MAX_SEGMENTS)
      throw new DiskError('ERR_LIMIT', `a volume of ${segments.length} segments`);
    if (!Number.isSafeInteger(extents * this.extentBytes))
      throw new DiskError('ERR_CORRUPT', `a volume of ${extents} extents of ${this.extentBytes} bytes`);
    const targets: Target[] = [];
    for (const segment of segments) {
      targets.push(await this.#segment(segment));
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    return {
      model: this.lv,
      target: concatenate(targets),
      devices: this.#devices,
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
    return slice(target, 0, Math.min(size, target.size)); // a RAID set may keep space for reshapes to itself
  }

  async area(area: AreaModel, size: number): Promise<Target> {
    const physical = this.#group.physical(area, size);
    if (physical === undefined)
      return slice(await this.volume(area.name), area.extent * this.extentBytes, size);
    this.#devices.add(physical.device);
    return place(physical.at, size);
  }

  async volume(name: string): Promise<Target> {
    const { target, devices, tables, readOnlyType, isComputed, warnings, isDegraded } =
      await this.#group.within(name);
    for (const device of devices) this.#devices.add(device);
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

  computed(disk: DiskModule, name: string): Target {
    // Each level multiplies what one byte costs by the number of images.
    if (this.#isComputed)
      throw new DiskError('ERR_LIMIT', 'a RAID set that lacks images on a RAID set that lacks images');
    const device = this.#group.table.add(disk, `${this.lv.name}, ${name}`, true);
    this.#devices.add(device);
    this.#computesItself = true;
    return place(device.base, disk.size());
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
