import { can } from '../contracts/abilities.ts';
import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { BlobDisk } from '../disks/blob-disk.ts';
import { MemoryDisk } from '../disks/memory-disk.ts';
import { SliceDisk } from '../disks/slice-disk.ts';
import { dirname } from '../paths.ts';
import { type Match, ProbeRegistry } from '../probe/registry.ts';
import { readProbeWindow } from '../probe/window.ts';
import { quote } from '../text.ts';
import { type Address, splitAddress } from '../volumes/layer-path.ts';
import { Machine, type MachineDisk, type MachineOptions } from '../volumes/machine.ts';
import type { TreeNode } from '../volumes/tree-node.ts';
import { type BackingGate, deny } from './backing-gate.ts';
import { type ChainPolicy, openContext, type StackFormat } from './lineage.ts';
import { completeServices, type ServiceOptions, type Services } from './services.ts';

/** What can be opened: a path, bytes, a `Blob` or `File`, or a disk (which is then owned by the stack). */
export type Source = string | Uint8Array | Blob | DiskModule;

export interface PushOptions extends Io {
  /** Name of the format. Without it the disk is probed; with it nothing is guessed. */
  readonly format?: string | undefined;
  /** `'r'` unless told. */
  readonly mountMode?: MountMode | undefined;
  /**
   * Opens nothing that the image names and asks for no key; bytes that would need either are an error. For telling about
   * one image.
   */
  readonly metadataOnly?: boolean | undefined;
  /** Asks for no key: the disk opens, and reads of encrypted bytes are an error. For telling about a chain. */
  readonly withoutKeys?: boolean | undefined;
  /** An internal snapshot in place of the active state: its id, or its name. */
  readonly snapshot?: string | undefined;
  /** Further folders below which backing files may be, beside the folder of the image itself. */
  readonly allowBacking?: readonly string[] | undefined;
  /** Schemes that a backing name may have, of registered drivers. None when absent. */
  readonly allowSchemes?: readonly string[] | undefined;
  /** In place of the program's gate. `'deny'` opens nothing that an image names. */
  readonly gate?: BackingGate | 'deny' | undefined;
  /** The path that the image counts as having, where the disk knows none. */
  readonly location?: string | undefined;
}

export interface OpenOptions extends PushOptions {
  /** Byte of the source at which the image starts. 0 unless told. */
  readonly offset?: number | undefined;
  /** Answer the disk's `getBase()`. */
  readonly baseOnly?: boolean | undefined;
}

export interface LayerOptions extends OpenOptions {
  /** Further physical volumes of groups on the way, by their addresses, in the order in which they count. */
  readonly pvs?: readonly string[] | undefined;
}

interface Storage {
  readonly disk: DiskModule;
  readonly location: string | undefined;
  readonly driver: StorageDriver | undefined;
}

/** Opens disks and stacks formats on them. One for a program; it holds services and no open disk. */
export class Disks {
  readonly registry: ProbeRegistry;
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
    this.registry = new ProbeRegistry(services.formats);
  }

  /**
   * Opens an image with everything that it stands on, and initialises it. The result owns its whole stack: close it.
   *
   * Backing files are opened only as the gate allows: see `PushOptions`.
   */
  async open(source: Source, options: OpenOptions = {}): Promise<DiskModule> {
    const bottom = this.#bottom(source, options);
    try {
      checkMountMode(options.mountMode);
      const storage = cutAt(bottom, options.offset);
      await storage.disk.init({ signal: options.signal });
      const top = await this.#push(storage, options);
      return options.baseOnly ? top.getBase() : top;
    } catch (error) {
      await bottom.disk.close().catch(() => {}); // why it could not be opened is what the caller has to know
      throw error;
    }
  }

  /** Stacks a format on an open disk, say a logical volume. The result owns `disk`; on failure it stays the caller's. */
  push(disk: DiskModule, options: PushOptions = {}): Promise<DiskModule> {
    const location = options.location ?? locationOf(disk);
    return this.#push({ disk, location, driver: this.#services.drivers[0] }, options);
  }

  /** Every format that claims the source, the surest first. Opens nothing but the source, and closes it again. */
  async probe(source: Source, options: OpenOptions = {}): Promise<readonly Match[]> {
    const bottom = this.#bottom(source, options);
    const io = { signal: options.signal };
    try {
      const { disk } = cutAt(bottom, options.offset);
      await disk.init(io);
      return this.registry.matches(await readProbeWindow(disk, io));
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
      const { driver, path } = this.#driverOf(image);
      return (await driver.kind(path)) !== 'missing';
    });
  }

  async #push(storage: Storage, options: PushOptions): Promise<DiskModule> {
    const { disk, location, driver } = storage;
    const policy: ChainPolicy = {
      services: this.#services,
      gate: options.gate === 'deny' ? deny : (options.gate ?? this.#services.gate),
      metadataOnly: options.metadataOnly ?? false,
      withoutKeys: options.withoutKeys ?? false,
      roots: await this.#roots(storage, options),
      allowSchemes: options.allowSchemes ?? [],
    };
    const lineage = [location === undefined ? '' : await identify(driver, location)];
    const mountMode = checkMountMode(options.mountMode);
    return this.#stack(
      disk,
      options.format,
      policy,
      { mountMode, location, driver, lineage, snapshot: options.snapshot },
      { signal: options.signal },
    );
  }

  /** The folder of the image belongs to the name space of its own driver; what the caller allows, to all of them. */
  async #roots({ driver, location }: Storage, options: PushOptions): Promise<ChainPolicy['roots']> {
    const { allowBacking = [], allowSchemes = [] } = options;
    const roots = new Map<StorageDriver, readonly string[]>();
    for (const other of this.#services.drivers) {
      if (allowSchemes.includes(other.scheme)) roots.set(other, await canonicalAll(other, allowBacking));
    }
    if (driver !== undefined) {
      const own = location === undefined ? [] : [dirname(location)];
      roots.set(driver, await canonicalAll(driver, [...own, ...allowBacking]));
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
    return module;
  };

  async #probe(disk: DiskModule, layer: string | undefined, io: Io) {
    try {
      return await this.registry.probe(disk, io);
    } catch (error) {
      throw error instanceof DiskError ? error.in({ layer }) : error;
    }
  }

  #bottom(source: Source, options: OpenOptions): Storage {
    const { location, mountMode } = options;
    const writable = mountMode === 'rw';
    if (typeof source === 'string') {
      const { driver, path } = this.#driverOf(source);
      return { disk: driver.open(path, { writable }), location: location ?? path, driver };
    }
    const driver = this.#services.drivers[0];
    if (source instanceof Uint8Array) return { disk: new MemoryDisk(source, { writable }), location, driver };
    if (source instanceof Blob) return { disk: new BlobDisk(source), location, driver };
    return { disk: source, location: location ?? locationOf(source), driver };
  }

  #driverOf(source: string): { driver: StorageDriver; path: string } {
    const { drivers } = this.#services;
    const [first] = drivers;
    if (first === undefined) {
      throw new DiskError('ERR_ARGUMENT', `no storage driver is registered that could open ${quote(source)}`);
    }
    const named = drivers.find(({ scheme }) => source.startsWith(`${scheme}:`));
    return named === undefined
      ? { driver: first, path: source }
      : { driver: named, path: source.slice(named.scheme.length + 1) };
  }
}

/** Disks without a container: the services in, `Disks` out. */
export function createDisks(options: ServiceOptions): Disks {
  return new Disks(completeServices(options));
}

/** The image may start inside of its storage. */
function cutAt(storage: Storage, offset: number = 0): Storage {
  return offset === 0 ? storage : { ...storage, disk: new SliceDisk(storage.disk, offset) };
}

function checkMountMode(mode: string = 'r'): MountMode {
  if (mode === 'r' || mode === 'rw') return mode;
  throw new DiskError('ERR_ARGUMENT', `Unrecognized mountMode: ${mode}`);
}

function locationOf(disk: DiskModule): string | undefined {
  return can(disk, 'location') ? disk.location : undefined;
}

/** A disk without a path in the driver's name space (a logical volume, say) is told by the path that it has. */
async function identify(driver: StorageDriver | undefined, location: string): Promise<string> {
  const canonical = await driver?.canonical(location);
  return driver === undefined || canonical === undefined ? `volume ${location}` : driver.identity(canonical);
}

async function canonicalAll(driver: StorageDriver, folders: readonly string[]): Promise<readonly string[]> {
  const roots = await Promise.all(folders.map((folder) => driver.canonical(folder)));
  return roots.filter((root) => root !== undefined);
}
