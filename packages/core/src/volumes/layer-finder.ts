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

/** How often one walk asks again for groups on copies of disks that it has seen: snapshots of a guest, clones of it. */
const MAX_COPIES = 64;

type OpenVolume = (volume: Volume, io: Io) => Promise<DiskModule>;

/** A group, and the layers that it is on. */
export interface FoundGroup {
  readonly set: VolumeSet;
  readonly layers: readonly Layer[];
  /** The layers that the layout was asked about. */
  readonly asked: readonly Layer[];
}

/** Finds the layers that stand on a layer: the image in it, the volumes on it, the volumes of its group. */
export class LayerFinder {
  readonly #opener: ImageOpener;
  readonly #services: Services;
  readonly #push: (inside: Layer) => PushOptions;
  readonly #reported = new Set<string>();
  #count = 0;

  /** `push`: how images inside of a layer are opened. */
  constructor(opener: ImageOpener, push: (inside: Layer) => PushOptions) {
    this.#opener = opener;
    this.#services = opener.services;
    this.#push = push;
  }

  /** The image of this format in a layer. It is not opened, and need not be there. */
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

  /** A handle of the caller's own on the image in a layer; `lending` is about the bytes that the image stands on. */
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

  /** The image that a layer holds by its magic number, where there is one and no doubt which. */
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

  /** Asks the layouts that look at one disk, and notes those whose groups it may be part of. */
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

  /** The volume that a layout finds by its step alone. */
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
   * Groups on these layers that are new for at least one of them. The layers come in the order in which they count: of
   * two copies of one disk the first belongs to a group first, and the other one to a group of the same name.
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
      // A disk that stands alone may be the copy of one that does not: it is asked about again, before that one.
      const telling = fresh.filter(({ volumes }) => volumes.length > 0);
      const taken = new Set<Layer>();
      for (const set of telling.length > 0 ? telling : fresh) {
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

  /** Lets the volumes of a group stand on one of its disks. `named`: the disks that the caller calls physical volumes. */
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

  /** Logical partitions stand on the extended one, and are addressed like all partitions of their disk. */
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

  /** What the user of an opened volume has to know of it, and of the table or the group that it is of. */
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
      below.problem = limitError('maxTreeNodes', limits, 'the tree has more layers than are listed');
      return false;
    }
    this.#count++;
    below.above.set(step, layer);
    return true;
  }
}
