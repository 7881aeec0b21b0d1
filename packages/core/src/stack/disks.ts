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
  /** `false`: the backing disk stays closed, and reading bytes that are in it is an error. For looking at one image. */
  readonly followBacking?: boolean | undefined;
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
    const storage = this.#storage(source, options);
    const { disk } = storage;
    try {
      await disk.init({ signal: options.signal });
      const top = await this.#push(storage, options);
      return options.baseOnly ? top.getBase() : top;
    } catch (error) {
      await disk.close();
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
    const { disk } = this.#storage(source, options);
    const io = { signal: options.signal };
    try {
      await disk.init(io);
      return this.registry.matches(await readProbeWindow(disk, io));
    } finally {
      await disk.close();
    }
  }

  async #push(storage: Storage, options: PushOptions): Promise<DiskModule> {
    const { disk, location, driver } = storage;
    const policy: ChainPolicy = {
      services: this.#services,
      gate: options.gate === 'deny' ? deny : (options.gate ?? this.#services.gate),
      followBacking: options.followBacking ?? true,
      roots: await canonicalRoots(driver, location, options.allowBacking),
      allowSchemes: options.allowSchemes ?? [],
      driver,
    };
    const lineage = location === undefined ? [] : [await identify(driver, location)];
    const mountMode = checkMountMode(options.mountMode);
    return this.#stack(
      disk,
      options.format,
      policy,
      { mountMode, location, lineage },
      { signal: options.signal },
    );
  }

  readonly #stack: StackFormat = async (disk, formatName, policy, place, io) => {
    const format =
      formatName === undefined
        ? await this.#probe(disk, place.location, io)
        : this.registry.named(formatName);
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

  #storage(source: Source, options: OpenOptions): Storage {
    const storage = this.#bottom(source, options);
    return options.offset ? { ...storage, disk: new SliceDisk(storage.disk, options.offset) } : storage;
  }

  #bottom(source: Source, options: OpenOptions): Storage {
    const writable = checkMountMode(options.mountMode) === 'rw';
    const { location } = options;
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

async function canonicalRoots(
  driver: StorageDriver | undefined,
  location: string | undefined,
  allowed: readonly string[] = [],
): Promise<readonly string[]> {
  if (driver === undefined) return [];
  const folders = [...(location === undefined ? [] : [dirname(location)]), ...allowed];
  const roots = await Promise.all(folders.map((folder) => driver.canonical(folder)));
  return roots.filter((root) => root !== undefined);
}
