import { breathe } from '../breathe.ts';
import { can } from '../contracts/abilities.ts';
import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { SnapshotChoice } from '../contracts/snapshot.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { BlobDisk } from '../disks/blob-disk.ts';
import { MemoryDisk } from '../disks/memory-disk.ts';
import { SliceDisk } from '../disks/slice-disk.ts';
import { dirname, isUrl } from '../paths.ts';
import { type Match, ProbeRegistry } from '../probe/registry.ts';
import { readProbeWindow } from '../probe/window.ts';
import { storageError } from '../storage-error.ts';
import { quote } from '../text.ts';
import { type Address, splitAddress } from '../volumes/layer-path.ts';
import { Machine, type MachineDisk, type MachineOptions } from '../volumes/machine.ts';
import type { TreeNode } from '../volumes/tree-node.ts';
import { type BackingGate, deny } from './backing-gate.ts';
import { guardDriver } from './guard-driver.ts';
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
  /** An internal snapshot in place of the active state: its id or its name, or each by itself. */
  readonly snapshot?: SnapshotChoice | undefined;
  /** Further folders below which backing files may be, beside the folder of the image that the caller opens by its path. */
  readonly allowBacking?: readonly string[] | undefined;
  /** Schemes that a backing name may have, of registered drivers. None when absent. */
  readonly allowSchemes?: readonly string[] | undefined;
  /** In place of the program's gate. `'deny'` opens nothing that an image names. */
  readonly gate?: BackingGate | 'deny' | undefined;
  /**
   * The path that the image counts as having: relative names in it are seen from there, and files below its folder may be
   * opened. Default: the path that it is opened by. An image on a disk, or at an `offset`, has none: it was found inside
   * something, and may name volumes, and what `allowBacking` allows.
   */
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

/** The disk at the bottom of a stack, and what its image may count as its own. */
interface Storage {
  readonly disk: DiskModule;
  /** What it is called. */
  readonly location: string | undefined;
  /** Where it is in the name space of the driver, where the caller opened it by that name. Nothing else gives a folder. */
  readonly home: string | undefined;
  readonly driver: StorageDriver | undefined;
}

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
    const bottom = this.#bottom(source, options);
    try {
      checkMountMode(options.mountMode);
      const storage = cutAt(bottom, options);
      await initStorage(storage, options);
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
  push(disk: DiskModule, options: PushOptions = {}): Promise<DiskModule> {
    return this.#push(this.#onDisk(disk, options), options);
  }

  /**
   * Every format that claims the source, the surest first. Opens nothing but the source, and closes it again. A source that
   * is an image of a format that is not read is `ERR_UNSUPPORTED`.
   */
  async probe(source: Source, options: OpenOptions = {}): Promise<readonly Match[]> {
    const bottom = this.#bottom(source, options);
    const io = { signal: options.signal };
    try {
      const { disk } = cutAt(bottom, options);
      await initStorage(bottom, options);
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
      const { driver, path } = this.#driverOf(image);
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
      roots: await this.#roots(storage, options),
      allowSchemes: options.allowSchemes ?? [],
    };
    const lineage = [await identify(storage)];
    const mountMode = checkMountMode(options.mountMode);
    return this.#stack(
      disk,
      options.format,
      policy,
      { mountMode, location, home, driver, lineage, snapshot: options.snapshot },
      { signal: options.signal },
    );
  }

  /** The folder of the image belongs to the name space of its own driver; what the caller allows, to all of them. */
  async #roots({ driver, home }: Storage, options: PushOptions): Promise<ChainPolicy['roots']> {
    const { allowBacking = [], allowSchemes = [] } = options;
    const roots = new Map<StorageDriver, readonly string[]>();
    for (const other of this.#services.drivers) {
      if (allowSchemes.includes(other.scheme)) roots.set(other, await canonicalAll(other, allowBacking));
    }
    if (driver !== undefined) {
      const own = home === undefined ? [] : [dirname(home)];
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

  #bottom(source: Source, options: OpenOptions): Storage {
    const { location, mountMode } = options;
    const writable = mountMode === 'rw';
    if (typeof source === 'string') {
      const { driver, path } = this.#driverOf(source);
      const home = location ?? path;
      return { disk: driver.open(path, { writable }), location: home, home, driver };
    }
    if (source instanceof Uint8Array) return this.#onDisk(new MemoryDisk(source, { writable }), options);
    if (source instanceof Blob) return this.#onDisk(new BlobDisk(source), options);
    return this.#onDisk(source, options);
  }

  /** What a disk says of itself is a name for people. Only the caller can say that it counts as a file. */
  #onDisk(disk: DiskModule, { location }: PushOptions): Storage {
    if (location === undefined || this.#services.drivers.length === 0) {
      const [driver] = this.#services.drivers;
      return { disk, location: location ?? locationOf(disk), home: undefined, driver };
    }
    const { driver, path } = this.#driverOf(location);
    return { disk, location: path, home: path, driver };
  }

  #driverOf(source: string): { driver: StorageDriver; path: string } {
    const { drivers } = this.#services;
    const [first] = drivers;
    if (first === undefined) {
      throw new DiskError('ERR_ARGUMENT', `no storage driver is registered that could open ${quote(source)}`);
    }
    const named = drivers.find(({ scheme }) => source.startsWith(`${scheme}:`));
    if (named === undefined) return { driver: first, path: source };
    return { driver: named, path: isUrl(source) ? source : source.slice(named.scheme.length + 1) };
  }
}

/** Disks without a container: the services in, `Disks` out. */
export function createDisks(options: ServiceOptions): Disks {
  return new Disks(completeServices(options));
}

/** The image may start inside of its storage: then it is one that was found in another, unless the caller says its path. */
function cutAt(storage: Storage, { offset = 0, location }: OpenOptions): Storage {
  if (offset === 0) return storage;
  return { ...storage, disk: new SliceDisk(storage.disk, offset), home: location && storage.home };
}

/** A storage of somebody else's making may throw anything. */
async function initStorage({ disk, location }: Storage, { signal }: PushOptions): Promise<void> {
  try {
    await disk.init({ signal });
  } catch (error) {
    throw storageError(error, location);
  }
}

function checkMountMode(mode: string = 'r'): MountMode {
  if (mode === 'r' || mode === 'rw') return mode;
  throw new DiskError('ERR_ARGUMENT', `Unrecognized mountMode: ${mode}`);
}

function locationOf(disk: DiskModule): string | undefined {
  return can(disk, 'location') ? disk.location : undefined;
}

/** Equal for two disks exactly when they are the same bytes, as far as that can be seen. */
async function identify({ driver, home, location }: Storage): Promise<string> {
  if (driver === undefined || home === undefined) return location === undefined ? '' : `volume ${location}`;
  const canonical = await driver.canonical(home);
  return canonical === undefined ? `volume ${home}` : driver.identity(canonical);
}

async function canonicalAll(driver: StorageDriver, folders: readonly string[]): Promise<readonly string[]> {
  const roots = await Promise.all(folders.map((folder) => driver.canonical(folder)));
  return roots.filter((root) => root !== undefined);
}
