import type { DiskModule, Io } from './contracts/disk-module.ts';
import { type CreateOptions, createImage } from './creation/create-image.ts';
import { ImageOpener } from './stack/image-opener.ts';
import type { LayerOptions, OpenOptions, PushOptions, Source } from './stack/open-options.ts';
import type { Match, ProbeRegistry } from './stack/probe-registry.ts';
import { completeServices, type ServiceOptions, type Services } from './stack/services.ts';
import { splitAddress } from './volumes/layer-path.ts';
import { Machine, type MachineDisk, type MachineOptions } from './volumes/machine.ts';
import type { TreeNode } from './volumes/tree-node.ts';

/** Opens disks and stacks formats on them. One for a program; it holds services and no open disk. */
export class Disks {
  readonly #opener: ImageOpener;

  constructor(services: Services) {
    this.#opener = new ImageOpener(services);
  }

  get registry(): ProbeRegistry {
    return this.#opener.registry;
  }

  /**
   * Opens an image and every layer below it, and initialises them. The result owns its whole stack: close it.
   *
   * Backing files are opened only as the gate allows: see `PushOptions`.
   */
  open(source: Source, options: OpenOptions = {}): Promise<DiskModule> {
    return this.#opener.open(source, options);
  }

  /**
   * Stacks a format on an open disk, say a logical volume. The result owns `disk`; on failure it stays the caller's.
   *
   * The image has no folder, whatever the disk says of its location: its names reach volumes, and what `allowBacking` allows.
   */
  push(disk: DiskModule, options: PushOptions = {}): Promise<DiskModule> {
    return this.#opener.push(disk, options);
  }

  /**
   * Every format that claims the source, the surest first. Opens nothing but the source, and closes it again. A source that
   * is an image of a format that is not read is `ERR_UNSUPPORTED`.
   */
  probe(source: Source, options: OpenOptions = {}): Promise<readonly Match[]> {
    return this.#opener.probe(source, options);
  }

  /**
   * The location that `name` leads to when an image at `location` names it: by the rules of the driver of the name's scheme, or of
   * the image. Asks no storage. `undefined` for a relative name without a location.
   */
  resolve(name: string, location?: string): string | undefined {
    return this.#opener.resolve(name, location);
  }

  /**
   * Makes an empty image on a writable disk, and replaces its content. The disk stays open and remains the caller's.
   * `ERR_UNSUPPORTED` for a format that is only read.
   */
  create(target: DiskModule, options: CreateOptions): Promise<void> {
    return createImage(this.#opener.services, this.registry, target, options);
  }

  /** The disks of one machine, to look into and to open by the paths of their layers. Nothing is opened yet. */
  machine(disks: readonly (Source | MachineDisk)[], options: MachineOptions = {}): Machine {
    return new Machine(this.#opener, disks, options);
  }

  /**
   * Everything found on the disks of one machine: images, partitions, volume groups over several disks, logical
   * volumes, and images in those. Each node can be opened by its path. Nothing is open when it is over.
   */
  async tree(
    disks: readonly (Source | MachineDisk)[],
    options: MachineOptions & Io = {},
  ): Promise<readonly TreeNode[]> {
    await using machine = this.machine(disks, options);
    return await machine.tree({ signal: options.signal });
  }

  /**
   * Opens a layer inside of an image by its address, `IMAGE[#LAYER[/LAYER…]]`: a partition (`p2`), a logical volume
   * (`lv:vg0/root`), the image of a format in one of them (`qcow2`). Further physical volumes are given as `pvs`, by their
   * addresses. The result owns its whole stack: close it.
   */
  async openLayer(address: string, options: LayerOptions = {}): Promise<DiskModule> {
    const { pvs = [], signal, format, snapshot, offset, location: _location, baseOnly, ...opening } = options;
    const isThere = (location: string): Promise<boolean> => this.#opener.isThere(location);
    const { image, layers } = await splitAddress(address, isThere);
    if (layers === '') return this.open(image, options);
    const pvImages = await Promise.all(pvs.map((pv) => splitAddress(pv, isThere)));
    const source = { source: image, format, snapshot, offset };
    const machine = this.machine([source, ...pvImages.map((pv) => pv.image)], { ...opening, pvs });
    const disk = await machine.openOnly(address, { signal });
    return baseOnly ? disk.getBase() : disk;
  }
}

/** Disks without a container: the services in, `Disks` out. */
export function createDisks(options: ServiceOptions): Disks {
  return new Disks(completeServices(options));
}
