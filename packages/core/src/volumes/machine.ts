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
import type { Source } from '../stack/open-options.ts';
import type { Services } from '../stack/services.ts';
import { contentOf, failureOf, Layer, withAbove } from './layer.ts';
import { type FoundGroup, LayerFinder } from './layer-finder.ts';
import { leadsThrough } from './layer-path.ts';
import { isDescribed, type MachineDisk, type MachineOptions, nameOf } from './machine-disk.ts';
import { machineGate } from './machine-gate.ts';
import { type TreeNode, treeNode } from './tree-node.ts';

/**
 * The disks of one machine, and all layers on them: images, partitions, volume groups over several disks, logical volumes, images
 * in logical volumes. Each disk is opened once, when it is needed, and closed with the machine.
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
      if (named.has(path)) continue; // a disk that is named twice is one disk
      const open = (io: Io): Promise<DiskModule> =>
        opener.open(source, { ...opening, ...more, ...io, gate: gateOf(undefined) });
      named.set(path, new Layer({ path, kind: 'disk', format: more.format, open }));
    }
    this.#sources = [...named.values()];
  }

  /**
   * Finds all layers. What cannot be read has a `status` and a `reason` in the tree. Only aborts, and errors that are not
   * `DiskError`s, are thrown.
   */
  async tree(io: Io = {}): Promise<readonly TreeNode[]> {
    await this.#walk(io);
    const nodes: TreeNode[] = [];
    for (const source of this.#sources) nodes.push(await treeNode(source));
    return nodes;
  }

  /**
   * Returns an initialised handle on the layer at a path, `'disk.qcow2#p4/lv:vg0/root'`. The caller owns the handle: closing it
   * leaves the machine open. Opens only the layers of the path, and disks that may be members of a group on the path.
   */
  open(path: string, io: Io = {}): Promise<DiskModule> {
    return this.#lend(path, undefined, io);
  }

  /**
   * The same for a machine with no other user: closing the handle closes the machine. If there is no handle because opening
   * fails, the machine is closed immediately.
   */
  async openOnly(path: string, io: Io = {}): Promise<DiskModule> {
    try {
      return await this.#lend(path, () => this.close(), io);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    // The last layer first: each one depends on layers before it, which are borrowed rather than owned.
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

  /** Finds the layer at a path, step by step. */
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

  /** Finds a volume that its layout does not list. */
  async #nextByStep(path: string, from: Layer, io: Io): Promise<Layer | undefined> {
    const [step = ''] = path.slice(from.path.length + 1).split('/');
    await this.#finder.step(from, step, io);
    return nextKnown(path, from);
  }

  /**
   * Finds a volume of the group that the disk is a member of. The other members are disks and `pvs` that the caller names, and
   * partitions of the machine's disks. The content of logical volumes is controlled by guests: it takes part only if the caller
   * names it in `pvs`.
   */
  async #nextInGroup(path: string, from: Layer, io: Io): Promise<Layer | undefined> {
    const pvs = await this.#explicitPvs(io);
    for (const source of this.#sources) await this.#tried(source, () => this.#finder.search(source, io));
    const partitions = [...this.#layers()].filter(
      ({ kind, volume }) => kind === 'partition' && isReadable(volume),
    );
    const layers = [...new Set([from, ...pvs, ...this.#sources, ...partitions])];
    for (const layer of layers) await this.#tried(layer, () => this.#finder.search(layer, io));
    from.group = undefined; // searched again, with this disk first
    const groups = await this.#finder.groups(layers, io);
    const group = groups.find((one) => one.layers.includes(from));
    if (group === undefined) return undefined;
    this.#finder.join(group, from, new Set(pvs));
    return nextKnown(path, from);
  }

  /**
   * Opens the layers that the caller passed as `pvs`, once. A path that leads through a group can use the physical
   * volumes before it.
   */
  async #explicitPvs(io: Io): Promise<readonly Layer[]> {
    if (this.#pvsAsked) return this.#pvs;
    this.#pvsAsked = true;
    try {
      for (const path of this.#options.pvs ?? []) {
        const layer = await this.#layerAt(path, io);
        await layer.disk(io); // a disk that is missing must be an error, or a RAID set would be read as degraded
        this.#pvs.push(layer);
      }
    } catch (error) {
      this.#pvs.length = 0; // the next call tries again
      this.#pvsAsked = false;
      throw error;
    }
    return this.#pvs;
  }

  /**
   * Searches from the disks upwards until nothing more is found. Tables and images come first, then groups. A complete group is
   * joined immediately, an incomplete one only when no complete group is left: another group could have the missing disks.
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
      // The volumes that were missing for an image may exist now.
      for (const layer of seen) if (isMissing(layer.problem)) seen.delete(layer);
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

  /**
   * Opens a layer. If the backing disk of an image is missing, it may be a volume of this machine: finds the volumes
   * and tries again.
   */
  async #opened(layer: Layer, io: Io): Promise<DiskModule> {
    try {
      return await layer.disk(io);
    } catch (error) {
      const problem = failureOf(error);
      const others = this.#sources.filter((one) => one !== layer);
      if (!isMissing(problem) || layer.depth > 0 || others.length === 0) throw error;
      for (const other of others) await this.#tried(other, () => this.#finder.search(other, io));
      for (const group of await this.#finder.groups([...this.#layers()], io)) {
        const listedAt = group.layers.find((one) => one.group === undefined);
        if (listedAt !== undefined && isWhole(group)) this.#finder.join(group, listedAt, new Set(this.#pvs));
      }
      return layer.disk(io);
    }
  }

  /** Runs `work`. A failure becomes the `problem` of the layer and does not end the walk. */
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
    return limitError('maxTreeDepth', limits, `the layer has ${depth} layers below it`).in({ layer: path });
  }
}

/** The highest layer found so far that the path leads through. */
function nextKnown(path: string, from: Layer): Layer | undefined {
  let farthest: Layer | undefined;
  for (const layer of withAbove(from)) {
    if (layer !== from && leadsThrough(path, layer.path) && layer.path.length > (farthest?.path.length ?? 0))
      farthest = layer;
  }
  return farthest;
}

/** Whether a layer can be searched. An extended partition only holds other partitions. An image always can. */
function isReadable(volume: Volume | undefined): boolean {
  return volume === undefined || (volume.status === 'ok' && volume.children === undefined);
}

/** Whether no member of the group is missing. */
function isWhole({ set }: FoundGroup): boolean {
  return set.problem === undefined && set.volumes.every(({ status }) => status !== 'error');
}

function isMissing(problem: DiskError | undefined): boolean {
  return problem?.code === 'ERR_BACKING_DENIED' || problem?.code === 'ERR_NOT_FOUND';
}
