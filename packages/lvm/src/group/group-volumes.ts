import { DiskError, type DiskModule, type Limits, quote } from '@diskstack/core';
import { Mutex } from '@diskstack/core/format';
import type { LayoutContext } from '@diskstack/core/volumes';
import {
  type AreaModel,
  decodeLv,
  decodePv,
  type GroupModel,
  type LvModel,
} from '../metadata/group-model.ts';
import type { FoundGroup } from '../pvs/choose-groups.ts';
import type { PhysicalVolume } from '../pvs/physical-volume.ts';
import { type Source, Sources } from '../targets/sources.ts';
import { TargetReader } from '../targets/target-reader.ts';
import { type BuilderGroup, type BuiltVolume, VolumeBuilder } from './volume-builder.ts';

/** Levels of volumes that are stacked on volumes. lvm2 creates about five. */
const MAX_DEPTH = 24;

/**
 * Builds the logical volumes of a group: each one once, on first use. Builds run one after another, so `#path` is always
 * the way down from the volume that the caller asked for. A name that occurs twice in it is a loop.
 */
export class GroupVolumes implements BuilderGroup {
  readonly sources: Sources = new Sources();
  readonly reader: TargetReader = new TargetReader(this.sources);
  readonly group: GroupModel;
  readonly limits: Limits;
  /** By UUID. */
  readonly #pvs: ReadonlyMap<string, PhysicalVolume>;
  /** Physical volumes with one and the same UUID, by the disk of the first of them. */
  readonly #copies = new Map<DiskModule, readonly PhysicalVolume[]>();
  readonly #built = new Map<string, BuiltVolume | DiskError>();
  readonly #once = new Map<string, unknown>();
  readonly #path: string[] = [];
  readonly #building = new Mutex();

  constructor({ group, pvs, copies }: FoundGroup, { limits }: LayoutContext) {
    this.group = group;
    this.limits = limits;
    this.#pvs = pvs;
    for (const same of copies) {
      const [first] = same;
      if (first !== undefined) this.#copies.set(first.disk, same);
    }
  }

  /** The logical volume with this name, hidden ones included. */
  built(name: string): Promise<BuiltVolume> {
    return this.#building.run(() => this.within(name));
  }

  /** The same for `VolumeBuilder`, which already holds the mutex. */
  async within(name: string): Promise<BuiltVolume> {
    const known = this.#built.get(name);
    if (known instanceof DiskError) throw known;
    if (known !== undefined) return known;
    if (this.#path.includes(name))
      throw new DiskError('ERR_CORRUPT', `the volume ${quote(name)} contains itself`);
    if (this.#path.length >= MAX_DEPTH)
      throw new DiskError(
        'ERR_LIMIT',
        `the volume ${quote(name)} is more than ${MAX_DEPTH} levels below the one that is opened`,
      );
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

  model(name: string): LvModel {
    const section = this.group.logicalVolumes.get(name);
    if (section === undefined)
      throw new DiskError('ERR_CORRUPT', `the volume group has no volume ${quote(name)}`);
    return decodeLv(section);
  }

  get extentBytes(): number {
    return this.group.extentBytes;
  }

  once<T>(key: string, make: () => T): T {
    if (!this.#once.has(key)) this.#once.set(key, make());
    return this.#once.get(key) as T;
  }

  /** For each physical volume below `built` that exists more than once: the member numbers of all its copies. */
  copiesBelow({ sources }: BuiltVolume): readonly (readonly number[])[] {
    return this.#samesBelow(sources).map((same) => same.map(({ member }) => member));
  }

  /** Throws if a physical volume below exists more than once: nothing proves which copy is the current one. */
  refuseCopies(built: BuiltVolume | undefined): void {
    const [same] = built === undefined ? [] : this.#samesBelow(built.sources);
    const [first] = same ?? [];
    if (same === undefined || first === undefined) return;
    throw new DiskError(
      'ERR_ARGUMENT',
      `the physical volume ${quote(first.header.uuid)} exists ${same.length} times, as ${same.map(({ path }) => quote(path)).join(' and ')}`,
    );
  }

  #samesBelow(sources: ReadonlySet<Source>): readonly (readonly PhysicalVolume[])[] {
    return [...sources].flatMap(({ disk }) => {
      const same = this.#copies.get(disk);
      return same === undefined ? [] : [same];
    });
  }

  physical(
    { name, extent }: AreaModel,
    size: number,
  ): { readonly source: Source; readonly at: number } | undefined {
    const section = this.group.physicalVolumes.get(name);
    if (section === undefined) return undefined;
    const { id, status, firstExtentAt, extents } = decodePv(section);
    const pv = this.#pvs.get(id);
    if (pv === undefined)
      throw new DiskError('ERR_NOT_FOUND', `the physical volume ${quote(name)} (${quote(id)}) is missing`);
    if (status.includes('MISSING'))
      throw new DiskError(
        'ERR_NOT_FOUND',
        `the volume group marks the physical volume ${quote(name)} as MISSING: its data may be out of date`,
      );
    const { extentBytes } = this.group;
    if (extent * extentBytes + size > extents * extentBytes)
      throw new DiskError(
        'ERR_CORRUPT',
        `${size} bytes from extent ${extent} of ${quote(name)} are needed, which has ${extents} extents`,
      );
    const at = firstExtentAt + extent * extentBytes;
    const { disk, path } = pv;
    if (!Number.isSafeInteger(at + size) || at + size > disk.size()) {
      const reason = `bytes up to ${at + size} of ${quote(path)} are needed, which ends at ${disk.size()}`;
      throw new DiskError('ERR_TRUNCATED', reason);
    }
    return { source: this.sources.add(disk, path), at };
  }
}
