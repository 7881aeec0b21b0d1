import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import type { Volume, VolumeLayout, VolumeSet } from '../contracts/volume-layout.ts';
import { type BorrowOptions, borrow } from '../disks/borrowed-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { readProbeWindow } from '../probe/window.ts';
import type { ImageOpener } from '../stack/image-opener.ts';
import type { PushOptions } from '../stack/open-options.ts';
import type { Services } from '../stack/services.ts';
import { refuseUnchosenCopy } from './chosen-copy.ts';
import { Layer } from './layer.ts';
import { layerPath } from './layer-path.ts';

/** The most searches of one layout in one walk for groups on copies of disks, such as snapshots or clones of a guest. */
const MAX_COPIES = 64;

type OpenVolume = (volume: Volume, io: Io) => Promise<DiskModule>;

/** A group, and the layers of its members. */
export interface FoundGroup {
  readonly set: VolumeSet;
  readonly layers: readonly Layer[];
  /** The layers that the layout searched. */
  readonly asked: readonly Layer[];
}

/** Finds the layers above a layer: the image in it, the volumes on it, the volumes of its group. */
export class LayerFinder {
  readonly #opener: ImageOpener;
  readonly #services: Services;
  readonly #push: (inside: Layer) => PushOptions;
  readonly #reported = new Set<string>();
  #count = 0;

  /** `push` returns the options for opening images inside a layer. */
  constructor(opener: ImageOpener, push: (inside: Layer) => PushOptions) {
    this.#opener = opener;
    this.#services = opener.services;
    this.#push = push;
  }

  /** Returns the layer for an image of this format inside `below`. Does not open it, and does not check that it exists. */
  image(below: Layer, format: string): Layer {
    const known = below.above.get(format);
    if (known !== undefined) return known;
    const path = layerPath(below.path, below.depth === 0, format);
    const layer = new Layer({
      path,
      kind: 'disk',
      below,
      format,
      open: (io) => this.openImage(layer, {}, io),
    });
    this.#add(below, format, layer);
    return layer;
  }

  /** Opens a separate handle on the image in a layer. `lending` applies to the disk that holds the image. */
  async openImage({ below, format }: Layer, lending: BorrowOptions, io: Io) {
    if (below === undefined) throw new DiskError('ERR_INTERNAL', 'an image layer without a layer below');
    const lent = borrow(await below.disk(io), { ...lending, location: below.path });
    try {
      return await this.#opener.push(lent, { ...this.#push(below), ...io, format });
    } catch (error) {
      await lent.close();
      throw error;
    }
  }

  /**
   * Finds the image in a layer by its magic number. `undefined` if there is none. `ERR_AMBIGUOUS_FORMAT` if two formats claim it.
   */
  async probe(layer: Layer, io: Io): Promise<Layer | undefined> {
    const { registry } = this.#opener;
    const window = await registry.windowOf(await layer.disk(io), io);
    const claims = registry.matches(window).filter(({ rank }) => rank === 'magic');
    const [best, second] = claims;
    if (best === undefined) return undefined;
    if (second === undefined) return this.image(layer, best.format.name);
    const reason = `both ${best.format.name} and ${second.format.name} claim the bytes by their magic number`;
    throw new DiskError('ERR_AMBIGUOUS_FORMAT', reason, { layer: layer.path });
  }

  /**
   * Searches one disk: adds the volumes of layouts that need only this disk, and notes the layouts whose groups the disk may
   * be part of.
   */
  async search(layer: Layer, io: Io): Promise<void> {
    if (layer.isSearched) return;
    const disk = await layer.disk(io);
    const members = [{ disk, path: layer.path }];
    const sets: VolumeSet[] = [];
    for (const layout of layer.repeatsTable ? [] : this.#services.layouts) {
      if (layout.joins === undefined) sets.push(...(await layout.find(members, this.#services, io)));
    }
    if (!sets.some(({ volumes }) => volumes.length > 0)) {
      const window = await readProbeWindow(disk, io);
      for (const layout of this.#services.layouts) if (layout.joins?.(window)) layer.joins.add(layout);
    }
    layer.isSearched = true;
    for (const set of sets) this.#adopt(layer, set);
  }

  /** Adds the volume that a layout finds by the step alone, without listing all volumes. */
  async step(layer: Layer, step: string, io: Io): Promise<void> {
    const member = { disk: await layer.disk(io), path: layer.path };
    for (const layout of this.#services.layouts) {
      const volume = await layout.step?.(member, step, this.#services, io);
      if (volume === undefined) continue;
      this.#adopt(layer, { layout: layout.name, members: [0], volumes: [volume] });
      return;
    }
  }

  /**
   * Returns groups that are new for at least one of these layers. The order of the layers matters: of two copies of a disk, the
   * first one joins a group first. The other copy joins another group of the same name.
   */
  async groups(layers: readonly Layer[], io: Io): Promise<readonly FoundGroup[]> {
    const groups: FoundGroup[] = [];
    for (const layout of this.#services.layouts) {
      const joining = layers.filter(({ joins }) => joins.has(layout));
      groups.push(...(await this.#groupsOf(layout, joining, io)));
    }
    return groups;
  }

  async #groupsOf(layout: VolumeLayout, joining: readonly Layer[], io: Io): Promise<readonly FoundGroup[]> {
    const groups: FoundGroup[] = [];
    const settled = joining.filter(({ group }) => group !== undefined);
    let left = joining.filter(({ group }) => group === undefined);
    for (let copies = 0; copies < MAX_COPIES && left.length > 0; copies++) {
      const order = [...left, ...settled];
      const members = [];
      for (const layer of order) members.push({ disk: await layer.disk(io), path: layer.path });
      const sets = await layout.find(members, this.#services, io);
      const fresh = sets.filter((set) => set.members.some((index) => index < left.length));
      // A set without volumes may be a lone copy of a disk whose group is found in this round. It stays for the next round, which
      // puts it before that disk.
      const withVolumes = fresh.filter(({ volumes }) => volumes.length > 0);
      const taken = new Set<Layer>();
      for (const set of withVolumes.length > 0 ? withVolumes : fresh) {
        const on = set.members.toSorted((a, b) => a - b).flatMap((index) => order[index] ?? []);
        for (const layer of on) taken.add(layer);
        groups.push({ set, layers: on, asked: order });
      }
      if (taken.size === 0) break;
      settled.push(...left.filter((layer) => taken.has(layer)));
      left = left.filter((layer) => !taken.has(layer));
    }
    return groups;
  }

  /**
   * Adds the volumes of a group above one of its disks, `listedAt`. `named`: the disks that the caller passed
   * as physical volumes.
   */
  join({ set, layers, asked }: FoundGroup, listedAt: Layer, named: ReadonlySet<Layer>): void {
    for (const layer of layers) layer.group ??= { set, listedAt };
    listedAt.group = { set, listedAt };
    const choice = { asked, listedAt, named, driver: this.#services.drivers[0] };
    this.#adopt(listedAt, set, async (volume, io) => {
      await refuseUnchosenCopy(volume, choice);
      return volume.open({ ...io, copies: 'first' });
    });
  }

  #adopt(below: Layer, set: VolumeSet, open: OpenVolume = (volume, io) => volume.open(io)): void {
    below.sets.push(set);
    this.#addVolumes(below, below, set, set.volumes, open);
  }

  /**
   * Adds volumes and, above them, their children. A logical partition is above the extended one, but its path begins at the disk.
   */
  #addVolumes(disk: Layer, below: Layer, set: VolumeSet, volumes: readonly Volume[], open: OpenVolume): void {
    for (const volume of volumes) {
      const layer = new Layer({
        path: layerPath(disk.path, disk.depth === 0, volume.layer),
        kind: volume.kind,
        below,
        volume,
        set,
        open: async (io) => {
          const opened = await open(volume, io);
          this.#report(disk.path, set.facts);
          this.#report(layer.path, volume.facts);
          return opened;
        },
      });
      if (!this.#add(below, volume.layer, layer)) return;
      this.#addVolumes(disk, layer, set, volume.children ?? [], open);
    }
  }

  /** Logs each warning about an opened volume and about its table or group, once. */
  #report(path: string, facts: VolumeSet['facts']): void {
    const warnings = facts?.warnings;
    if (!Array.isArray(warnings)) return;
    for (const warning of warnings) {
      const message = `${quote(path)}: ${String(warning)}`;
      if (!this.#reported.has(message)) this.#services.logger.warn(message);
      this.#reported.add(message);
    }
  }

  #add(below: Layer, step: string, layer: Layer): boolean {
    const { limits } = this.#services;
    if (this.#count >= limits.maxTreeNodes) {
      below.problem = limitError('maxTreeNodes', limits, 'the tree has more layers than may be listed');
      return false;
    }
    this.#count++;
    below.above.set(step, layer);
    return true;
  }
}
