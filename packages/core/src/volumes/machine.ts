import { breathe } from '../async/breathe.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import type { Volume } from '../contracts/volume-layout.ts';
import { borrow } from '../disks/borrowed-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { recognise } from '../probe/recognise.ts';
import type { BackingGate } from '../stack/backing-gate.ts';
import type { ImageOpener } from '../stack/image-opener.ts';
import type { OpenOptions, PushOptions, Source } from '../stack/open-options.ts';
import type { Services } from '../stack/services.ts';
import { contentOf, failureOf, Layer, withAbove } from './layer.ts';
import { type FoundGroup, LayerFinder } from './layer-finder.ts';
import { leadsThrough } from './layer-path.ts';
import { machineGate } from './machine-gate.ts';
import { type TreeNode, treeNode } from './tree-node.ts';

/** A disk of a machine, with what is known of it. */
export interface MachineDisk extends Pick<OpenOptions, 'format' | 'snapshot' | 'offset'> {
  readonly source: Source;
  /** What its layers are addressed by. Default: the path of the source, where it has one. */
  readonly name?: string | undefined;
}

/** How the images of a machine are opened, those that are found inside of it included. */
export interface MachineOptions
  extends Pick<PushOptions, 'mountMode' | 'metadataOnly' | 'allowBacking' | 'allowSchemes' | 'gate'> {
  /** Layers that are physical volumes, in the order in which they count: `'lun.qcow2#lv:vg0/disk2'`. */
  readonly pvs?: readonly string[] | undefined;
}

/**
 * The disks of one machine, and all that stands on them: images, partitions, volume groups over several disks, logical
 * volumes, images in logical volumes. Each disk is opened when it is needed, once, and closed with the machine.
 */
export class Machine implements AsyncDisposable {
  readonly #services: Services;
  readonly #options: MachineOptions;
  readonly #finder: LayerFinder;
  readonly #sources: readonly Layer[];
  readonly #pvs: Layer[] = [];
  #pvsAsked = false;

  constructor(opener: ImageOpener, machine: readonly (Source | MachineDisk)[], options: MachineOptions = {}) {
    const { services } = opener;
    this.#services = services;
    this.#options = options;
    const { pvs: _pvs, gate, ...opening } = options;
    const gateOf = (inside: Layer | undefined): BackingGate | 'deny' =>
      gate === 'deny' ? gate : machineGate(() => this.#layers(), inside, gate ?? services.gate);
    this.#finder = new LayerFinder(opener, (inside) => ({ ...opening, gate: gateOf(inside) }));
    const named = new Map<string, Layer>();
    for (const [index, one] of machine.entries()) {
      const { source, name, ...more } = isDescribed(one) ? one : { source: one };
      const path = name ?? nameOf(source) ?? `disk${index + 1}`;
      if (named.has(path)) continue; // one disk, however often it is named
      const open = (io: Io): Promise<DiskModule> =>
        opener.open(source, { ...opening, ...more, ...io, gate: gateOf(undefined) });
      named.set(path, new Layer({ path, kind: 'disk', format: more.format, open }));
    }
    this.#sources = [...named.values()];
  }

  /** Looks into everything, and tells what is there. What cannot be read is told, and nothing thrown, but aborts. */
  async tree(io: Io = {}): Promise<readonly TreeNode[]> {
    await this.#walk(io);
    const nodes: TreeNode[] = [];
    for (const source of this.#sources) nodes.push(await treeNode(source));
    return nodes;
  }

  /**
   * A handle on the layer at a path, `'disk.qcow2#p4/lv:vg0/root'`: the caller's own, initialised; the machine stays open
   * when it is closed. Only what the path leads through is opened, and the disks that a group on the way may be on.
   */
  open(path: string, io: Io = {}): Promise<DiskModule> {
    return this.#lend(path, undefined, io);
  }

  /** The same, as the only way to use this machine: it is closed with the handle, or immediately where there is none. */
  async openOnly(path: string, io: Io = {}): Promise<DiskModule> {
    try {
      return await this.#lend(path, () => this.close(), io);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    // The last one first: each stands on others, and all of them have been lent.
    for (const layer of [...this.#layers()].reverse()) await layer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #lend(path: string, release: (() => Promise<void>) | undefined, io: Io): Promise<DiskModule> {
    const layer = await this.#layerAt(path, io);
    await this.#explicitPvs(io);
    if (layer.format !== undefined && layer.below !== undefined)
      return this.#finder.openImage(layer, { release }, io);
    const lent = borrow(await layer.disk(io), { release });
    await lent.init(io);
    return lent;
  }

  *#layers(): Generator<Layer> {
    for (const source of this.#sources) yield* withAbove(source);
  }

  /** The layer at a path: the layers on the way are found one by one. */
  async #layerAt(path: string, io: Io): Promise<Layer> {
    const [source] = this.#sources
      .filter((one) => leadsThrough(path, one.path))
      .sort((a, b) => b.path.length - a.path.length);
    if (source === undefined)
      throw new DiskError('ERR_NOT_FOUND', `the machine has no disk that ${quote(path)} begins with`);
    let layer = source;
    while (layer.path !== path) layer = await this.#nextTo(path, layer, io);
    return layer;
  }

  async #nextTo(path: string, from: Layer, io: Io): Promise<Layer> {
    const step = path.slice(from.path.length + 1);
    const known = nextKnown(path, from);
    if (known !== undefined) return known;
    const [format = ''] = step.split('/');
    if (this.#services.formats.some(({ name }) => name === format)) return this.#finder.image(from, format);
    if (from.depth >= this.#services.limits.maxTreeDepth) throw this.#tooDeep(from);
    await this.#opened(from, io);
    await this.#finder.search(from, io);
    const next =
      nextKnown(path, from) ??
      (await this.#nextByStep(path, from, io)) ??
      (await this.#nextInGroup(path, from, io));
    if (next !== undefined) return next;
    const there = [...from.above.values()].flatMap(({ volume }) => volume?.layer ?? []).slice(0, 10);
    throw new DiskError(
      'ERR_NOT_FOUND',
      `no layer ${quote(step)} in ${quote(from.path)}; ${there.length === 0 ? 'nothing is' : `${there.map(quote).join(', ')} are`} there`,
    );
  }

  /** A volume that its layout does not list. */
  async #nextByStep(path: string, from: Layer, io: Io): Promise<Layer | undefined> {
    const [step = ''] = path.slice(from.path.length + 1).split('/');
    await this.#finder.step(from, step, io);
    return nextKnown(path, from);
  }

  /**
   * The volumes of the group that a disk is part of. Its other disks are those that the caller names, and partitions of the
   * machine's disks. What stands in logical volumes is the guest's word: it takes part when the caller says so (`pvs`).
   */
  async #nextInGroup(path: string, from: Layer, io: Io): Promise<Layer | undefined> {
    const pvs = await this.#explicitPvs(io);
    for (const source of this.#sources) await this.#tried(source, () => this.#finder.search(source, io));
    const partitions = [...this.#layers()].filter(
      ({ kind, volume }) => kind === 'partition' && isReadable(volume),
    );
    const layers = [...new Set([from, ...pvs, ...this.#sources, ...partitions])];
    for (const layer of layers) await this.#tried(layer, () => this.#finder.search(layer, io));
    from.group = undefined; // asked for anew, with this disk first
    const groups = await this.#finder.groups(layers, io);
    const group = groups.find((one) => one.layers.includes(from));
    if (group === undefined) return undefined;
    this.#finder.join(group, from, new Set(pvs));
    return nextKnown(path, from);
  }

  /** The layers that the caller calls physical volumes. One that leads through a group finds those before it. */
  async #explicitPvs(io: Io): Promise<readonly Layer[]> {
    if (this.#pvsAsked) return this.#pvs;
    this.#pvsAsked = true;
    try {
      for (const path of this.#options.pvs ?? []) {
        const layer = await this.#layerAt(path, io);
        await layer.disk(io); // what the caller names has to be there, or a RAID set would be read as a degraded one
        this.#pvs.push(layer);
      }
    } catch (error) {
      this.#pvs.length = 0; // the next call looks again, and fails again
      this.#pvsAsked = false;
      throw error;
    }
    return this.#pvs;
  }

  /**
   * Goes up from the disks, layer by layer, until nothing more is found. Tables and images come first, then groups: a
   * group is joined when its disks are there, and one that lacks some only when nothing else could bring them.
   */
  async #walk(io: Io): Promise<void> {
    const named = new Set<Layer>();
    for (const path of this.#options.pvs ?? [])
      await this.#tried(undefined, async () => named.add(await this.#layerAt(path, io)));
    const seen = new Set<Layer>();
    for (;;) {
      const fresh = (): readonly Layer[] => [...this.#layers()].filter((layer) => !seen.has(layer));
      for (let layers = fresh(); layers.length > 0; layers = fresh()) {
        for (const layer of layers) {
          seen.add(layer);
          const pause = breathe();
          if (pause !== undefined) await pause;
          await this.#tried(layer, () => this.#look(layer, io));
        }
      }
      const groups = await this.#finder.groups([...this.#layers()], io);
      const whole = groups.filter(isWhole);
      for (const group of whole.length > 0 ? whole : groups) {
        const listedAt = group.layers.find((layer) => layer.group === undefined);
        if (listedAt !== undefined) this.#finder.join(group, listedAt, named);
      }
      if (groups.length === 0) return;
      // What an image lacked may be among the volumes now.
      for (const layer of seen) if (isLack(layer.problem)) seen.delete(layer);
    }
  }

  async #look(layer: Layer, io: Io): Promise<void> {
    const { volume } = layer;
    if (!isReadable(volume)) return;
    if (layer.depth >= this.#services.limits.maxTreeDepth) throw this.#tooDeep(layer);
    const disk = await this.#opened(layer, io);
    layer.problem = undefined;
    if (volume !== undefined && (await this.#finder.probe(layer, io)) !== undefined) return;
    await this.#finder.search(layer, io);
    if (layer.above.size === 0) layer.content ??= contentOf(await recognise(disk, io));
  }

  /** An image whose backing disk is a volume of this machine is opened once the volumes are found. */
  async #opened(layer: Layer, io: Io): Promise<DiskModule> {
    try {
      return await layer.disk(io);
    } catch (error) {
      const problem = failureOf(error);
      const others = this.#sources.filter((one) => one !== layer);
      if (!isLack(problem) || layer.depth > 0 || others.length === 0) throw error;
      for (const other of others) await this.#tried(other, () => this.#finder.search(other, io));
      for (const group of await this.#finder.groups([...this.#layers()], io)) {
        const listedAt = group.layers.find((one) => one.group === undefined);
        if (listedAt !== undefined && isWhole(group)) this.#finder.join(group, listedAt, new Set(this.#pvs));
      }
      return layer.disk(io);
    }
  }

  /** A failure of one layer is noted there, and the work goes on. */
  async #tried(layer: Layer | undefined, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const problem = failureOf(error);
      if (layer !== undefined) layer.problem = problem;
    }
  }

  #tooDeep({ depth, path }: Layer): DiskError {
    const { limits } = this.#services;
    return limitError('maxTreeDepth', limits, `${depth} layers below each other`).in({ layer: path });
  }
}

function isDescribed(one: Source | MachineDisk): one is MachineDisk {
  return typeof one === 'object' && 'source' in one;
}

function nameOf(source: Source): string | undefined {
  if (typeof source === 'string') return source;
  const { location, name } = source as { readonly location?: string; readonly name?: string };
  return location ?? name;
}

/** The layer farthest up that a path leads through and that has been found. */
function nextKnown(path: string, from: Layer): Layer | undefined {
  let farthest: Layer | undefined;
  for (const layer of withAbove(from)) {
    if (layer !== from && leadsThrough(path, layer.path) && layer.path.length > (farthest?.path.length ?? 0))
      farthest = layer;
  }
  return farthest;
}

/** Whether a volume can be looked into: an extended partition only holds others. An image always can. */
function isReadable(volume: Volume | undefined): boolean {
  return volume === undefined || (volume.status === 'ok' && volume.children === undefined);
}

/** Nothing is missing from a group. */
function isWhole({ set }: FoundGroup): boolean {
  return set.problem === undefined && set.volumes.every(({ status }) => status !== 'error');
}

function isLack(problem: DiskError | undefined): boolean {
  return problem?.code === 'ERR_BACKING_DENIED' || problem?.code === 'ERR_NOT_FOUND';
}
