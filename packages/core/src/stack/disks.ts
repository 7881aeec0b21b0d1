import { breathe } from '../async/breathe.ts';
import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { initStorage } from '../io/storage-error.ts';
import { type Match, ProbeRegistry } from '../probe/registry.ts';
import { readProbeWindow } from '../probe/window.ts';
import { type Address, splitAddress } from '../volumes/layer-path.ts';
import { Machine, type MachineDisk, type MachineOptions } from '../volumes/machine.ts';
import type { TreeNode } from '../volumes/tree-node.ts';
import { deny } from './backing-gate.ts';
import { guardDriver } from './guard-driver.ts';
import { type ChainPolicy, openContext, type StackFormat } from './open-context.ts';
import type { LayerOptions, OpenOptions, PushOptions, Source } from './open-options.ts';
import { dirname } from './paths.ts';
import { completeServices, type ServiceOptions, type Services } from './services.ts';
import { cutAt, driverOf, identify, type Storage, storageOf, storageOn } from './storage.ts';

/** Opens disks and stacks formats on them. One for a program; it holds services and no open disk. */
export class Disks {
  readonly registry: ProbeRegistry;
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = { ...services, drivers: services.drivers.map(guardDriver) };
    this.registry = new ProbeRegistry(services.formats);
  }

  /**
   * Opens an image with everything that it stands on, and initialises it. The result owns its whole stack: close it.
   *
   * Backing files are opened only as the gate allows: see `PushOptions`.
   */
  async open(source: Source, options: OpenOptions = {}): Promise<DiskModule> {
    const bottom = storageOf(this.#services.drivers, source, options);
    try {
      checkMountMode(options.mountMode);
      const storage = cutAt(bottom, options);
      await initStorage(storage.disk, storage.location, { signal: options.signal });
      const top = await this.#push(storage, options);
      return options.baseOnly ? top.getBase() : top;
    } catch (error) {
      await bottom.disk.close().catch(() => {}); // why it could not be opened is what the caller has to know
      throw error;
    }
  }

  /**
   * Stacks a format on an open disk, say a logical volume. The result owns `disk`; on failure it stays the caller's.
   *
   * The image has no folder, whatever the disk says of its location: its names reach volumes, and what `allowBacking` allows.
   */
  async push(disk: DiskModule, options: PushOptions = {}): Promise<DiskModule> {
    return await this.#push(storageOn(this.#services.drivers, disk, options), options);
  }

  /**
   * Every format that claims the source, the surest first. Opens nothing but the source, and closes it again. A source that
   * is an image of a format that is not read is `ERR_UNSUPPORTED`.
   */
  async probe(source: Source, options: OpenOptions = {}): Promise<readonly Match[]> {
    const bottom = storageOf(this.#services.drivers, source, options);
    const io = { signal: options.signal };
    try {
      const { disk } = cutAt(bottom, options);
      await initStorage(bottom.disk, bottom.location, io);
      await disk.init(io);
      return this.registry.sure(await readProbeWindow(disk, io));
    } finally {
      await bottom.disk.close();
    }
  }

  /** The disks of one machine, to look into and to open by the paths of their layers. Nothing is opened yet. */
  machine(disks: readonly (Source | MachineDisk)[], options: MachineOptions = {}): Machine {
    return new Machine(this, this.#services, disks, options);
  }

  /**
   * Everything that stands on the disks of one machine: images, partitions, volume groups over several disks, logical
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
   * addresses. The result owns all that it stands on: close it.
   */
  async openLayer(address: string, options: LayerOptions = {}): Promise<DiskModule> {
    const { pvs = [], signal, format, snapshot, offset, location: _location, baseOnly, ...opening } = options;
    const { image, layers } = await this.#split(address);
    if (layers === '') return this.open(image, options);
    const pvImages = await Promise.all(pvs.map((pv) => this.#split(pv)));
    const source = { source: image, format, snapshot, offset };
    const machine = this.machine([source, ...pvImages.map((pv) => pv.image)], { ...opening, pvs });
    const disk = await machine.openOnly(address, { signal });
    return baseOnly ? disk.getBase() : disk;
  }

  /** An address, taken apart: the image is the part of it that is there. */
  #split(address: string): Promise<Address> {
    return splitAddress(address, async (image) => {
      const { driver, path } = driverOf(this.#services.drivers, image);
      return (await driver.kind(path)) !== 'missing';
    });
  }

  async #push(storage: Storage, options: PushOptions): Promise<DiskModule> {
    const { disk, location, home, driver } = storage;
    const policy: ChainPolicy = {
      services: this.#services,
      gate: options.gate === 'deny' ? deny : (options.gate ?? this.#services.gate),
      metadataOnly: options.metadataOnly ?? false,
      withoutKeys: options.withoutKeys ?? false,
      roots: await this.#roots(driver, options),
      allowSchemes: options.allowSchemes ?? [],
    };
    const lineage = [await identify(storage)];
    const folder = home === undefined ? undefined : await driver?.canonical(dirname(home));
    const mountMode = checkMountMode(options.mountMode);
    return this.#stack(
      disk,
      options.format,
      policy,
      { mountMode, location, home, folder, driver, lineage, snapshot: options.snapshot },
      { signal: options.signal },
    );
  }

  /** What the caller allows is looked for in the name space of the image, and in those of allowed schemes. */
  async #roots(
    own: StorageDriver | undefined,
    { allowBacking = [], allowSchemes = [] }: PushOptions,
  ): Promise<ChainPolicy['roots']> {
    const roots = new Map<StorageDriver, readonly string[]>();
    for (const driver of this.#services.drivers) {
      if (driver === own || allowSchemes.includes(driver.scheme))
        roots.set(driver, await canonicalAll(driver, allowBacking));
    }
    return roots;
  }

  readonly #stack: StackFormat = async (disk, formatName, policy, place, io) => {
    const format =
      formatName === undefined
        ? await this.#probe(disk, place.location, io)
        : this.registry.named(formatName);
    if (place.snapshot !== undefined && !format.accepts?.includes('snapshot')) {
      throw new DiskError('ERR_UNSUPPORTED', `${format.name} images have no internal snapshots`, {
        layer: place.location,
      });
    }
    const module = format.open(disk, openContext(policy, place, this.#stack));
    await module.init(io);
    const pause = breathe();
    if (pause !== undefined) await pause;
    return module;
  };

  async #probe(disk: DiskModule, layer: string | undefined, io: Io) {
    try {
      return await this.registry.probe(disk, io);
    } catch (error) {
      throw error instanceof DiskError ? error.in({ layer }) : error;
    }
  }
}

/** Disks without a container: the services in, `Disks` out. */
export function createDisks(options: ServiceOptions): Disks {
  return new Disks(completeServices(options));
}

function checkMountMode(mode: string = 'r'): MountMode {
  if (mode === 'r' || mode === 'rw') return mode;
  throw new DiskError('ERR_ARGUMENT', `Unrecognized mountMode: ${mode}`);
}

async function canonicalAll(driver: StorageDriver, folders: readonly string[]): Promise<readonly string[]> {
  const roots = await Promise.all(folders.map((folder) => driver.canonical(folder)));
  return roots.filter((root) => root !== undefined);
}
