import type { DiskModule, Io } from './contracts/disk-module.ts';
import { type CreateOptions, createImage } from './creation/create-image.ts';
import { ImageOpener } from './stack/image-opener.ts';
import type { LayerOptions, OpenOptions, PushOptions, Source } from './stack/open-options.ts';
import type { Match, ProbeRegistry } from './stack/probe-registry.ts';
import { completeServices, type ServiceOptions, type Services } from './stack/services.ts';
import { splitAddress } from './volumes/layer-path.ts';
import { Machine } from './volumes/machine.ts';
import type { MachineDisk, MachineOptions } from './volumes/machine-disk.ts';
import type { TreeNode } from './volumes/tree-node.ts';

/** Opens disks and stacks formats on them. A program needs one instance, which holds services but no open disks. */
export class Disks {
  readonly #opener: ImageOpener;

  constructor(services: Services) {
    this.#opener = new ImageOpener(services);
  }

  get registry(): ProbeRegistry {
    return this.#opener.registry;
  }

  /**
   * Opens and initialises an image and every layer below it. The result owns the whole stack; the caller closes it.
   *
   * The gate decides which backing files may be opened: see `PushOptions`.
   */
  open(source: Source, options: OpenOptions = {}): Promise<DiskModule> {
    return this.#opener.open(source, options);
  }

  /**
   * Stacks a format on an open disk, such as a logical volume. The result owns `disk`; if the call fails, the caller does.
   *
   * The image has no folder, even if the disk has a location: it can name only volumes and what `allowBacking` allows.
   */
  push(disk: DiskModule, options: PushOptions = {}): Promise<DiskModule> {
    return this.#opener.push(disk, options);
  }

  /**
   * Returns every format that recognises the source, most certain first. Opens only the source, and closes it again.
   * `ERR_UNSUPPORTED` if the source is an image of a known format that diskstack cannot read.
   */
  probe(source: Source, options: OpenOptions = {}): Promise<readonly Match[]> {
    return this.#opener.probe(source, options);
  }

  /**
   * Returns the location that an image at `location` refers to by `name`. The driver of the scheme of `name`, or else the driver
   * of the image, resolves it. Does no I/O. Returns `undefined` for a relative name without a location.
   */
  resolve(name: string, location?: string): string | undefined {
    return this.#opener.resolve(name, location);
  }

  /** Returns the folder of a location, by the rules of its driver. Asks no storage. */
  parent(location: string): string {
    return this.#opener.parent(location);
  }

  /**
   * Creates an empty image on a writable disk, replacing its content. The caller still owns the disk, which stays open.
   * `ERR_UNSUPPORTED` for a format that can only be read.
   */
  create(target: DiskModule, options: CreateOptions): Promise<void> {
    return createImage(this.#opener.services, this.registry, target, options);
  }

  /** Returns the disks of one machine, to list their layers and to open layers by path. Opens nothing yet. */
  machine(disks: readonly (Source | MachineDisk)[], options: MachineOptions = {}): Machine {
    return new Machine(this.#opener, disks, options);
  }

  /**
   * Lists everything on the disks of one machine: images, partitions, volume groups over several disks, logical volumes, and
   * images in these. Each node can be opened by its path. All disks are closed when it resolves.
   */
  async tree(
    disks: readonly (Source | MachineDisk)[],
    options: MachineOptions & Io = {},
  ): Promise<readonly TreeNode[]> {
    await using machine = this.machine(disks, options);
    return await machine.tree({ signal: options.signal });
  }

  /**
   * Opens a layer inside an image by its address, `IMAGE[#LAYER[/LAYER…]]`: a partition (`p2`), a logical volume (`lv:vg0/root`),
   * or an image in one of them, by its format (`qcow2`). `pvs` are the addresses of additional physical volumes. The result owns
   * the whole stack; the caller closes it.
   */
  async openLayer(address: string, options: LayerOptions = {}): Promise<DiskModule> {
    const { pvs = [], signal, format, snapshot, offset, location: _location, baseOnly, ...opening } = options;
    const exists = (location: string): Promise<boolean> => this.#opener.isThere(location);
    const { image, layers } = await splitAddress(address, exists);
    if (layers === '') return this.open(image, options);
    const pvImages = await Promise.all(pvs.map((pv) => splitAddress(pv, exists)));
    const source = { source: image, format, snapshot, offset };
    const machine = this.machine([source, ...pvImages.map((pv) => pv.image)], { ...opening, pvs });
    const disk = await machine.openOnly(address, { signal });
    return baseOnly ? disk.getBase() : disk;
  }
}

/** Makes a `Disks` from services, without a dependency-injection container. */
export function createDisks(options: ServiceOptions): Disks {
  return new Disks(completeServices(options));
}
