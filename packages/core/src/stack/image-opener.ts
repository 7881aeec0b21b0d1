import { breathe } from '../async/breathe.ts';
import { once } from '../async/once.ts';
import type { MountMode } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { DiskError } from '../errors/disk-error.ts';
import { initStorage } from '../io/storage-error.ts';
import { deny } from './backing-gate.ts';
import type { ChainPolicy } from './chain-policy.ts';
import { guardDriver } from './guard-driver.ts';
import { schemeOf } from './location-names.ts';
import { openContext, type StackFormat } from './open-context.ts';
import { OpenFiles } from './open-files.ts';
import type { OpenOptions, PushOptions, Source } from './open-options.ts';
import { type Match, ProbeRegistry } from './probe-registry.ts';
import type { Services } from './services.ts';
import { cutAt, driverOf, identify, type Storage, storageOf, storageOn } from './storage.ts';

/**
 * Opens one image with its chain: the storage, the format, and the disks that the image names. Keeps no reference to
 * an open disk.
 */
export class ImageOpener {
  readonly registry: ProbeRegistry;
  readonly services: Services;

  constructor(services: Services) {
    this.services = { ...services, drivers: services.drivers.map(guardDriver) };
    this.registry = new ProbeRegistry(services.formats);
  }

  /** `Disks.open`. */
  async open(source: Source, options: OpenOptions = {}): Promise<DiskModule> {
    const bottom = storageOf(this.services.drivers, source, options);
    try {
      checkMountMode(options.mountMode);
      const storage = cutAt(bottom, options);
      await initStorage(storage.disk, storage.location, { signal: options.signal });
      const top = await this.#push(storage, options);
      return options.baseOnly ? top.getBase() : top;
    } catch (error) {
      await bottom.disk.close().catch(() => {}); // the error of opening is the one to report
      throw error;
    }
  }

  /** `Disks.push`. */
  async push(disk: DiskModule, options: PushOptions = {}): Promise<DiskModule> {
    return await this.#push(storageOn(this.services.drivers, disk, options), options);
  }

  /** `Disks.probe`. */
  async probe(source: Source, options: OpenOptions = {}): Promise<readonly Match[]> {
    const bottom = storageOf(this.services.drivers, source, options);
    const io = { signal: options.signal };
    try {
      const { disk } = cutAt(bottom, options);
      await initStorage(bottom.disk, bottom.location, io);
      await disk.init(io);
      return this.registry.sure(await this.registry.windowOf(disk, io));
    } finally {
      await bottom.disk.close();
    }
  }

  /** `Disks.resolve`. */
  resolve(name: string, location: string | undefined): string | undefined {
    const { drivers } = this.services;
    const own = location === undefined ? undefined : driverOf(drivers, location);
    const driver = own?.isPath?.(name) || schemeOf(name) === undefined ? own : driverOf(drivers, name);
    return driver?.resolve(driver === own ? location : undefined, name);
  }

  /** `Disks.parent`. */
  parent(location: string): string {
    return driverOf(this.services.drivers, location).parent(location);
  }

  /** Whether something exists at this location. */
  async isThere(location: string): Promise<boolean> {
    return (await driverOf(this.services.drivers, location).kind(location)) !== 'missing';
  }

  async #push(storage: Storage, options: PushOptions): Promise<DiskModule> {
    const { disk, location, home, driver } = storage;
    const policy: ChainPolicy = {
      services: this.services,
      gate: options.gate === 'deny' ? deny : (options.gate ?? this.services.gate),
      metadataOnly: options.metadataOnly ?? false,
      withoutKeys: options.withoutKeys ?? false,
      roots: await this.#roots(driver, options),
      allowSchemes: options.allowSchemes ?? [],
      files: new OpenFiles(this.services.limits),
    };
    const lineage = once(async () => [await identify(storage)]);
    const folder = once(async () =>
      home === undefined ? undefined : driver?.canonical(driver.parent(home)),
    );
    const mountMode = checkMountMode(options.mountMode);
    return this.#stack(
      disk,
      options.format,
      policy,
      { mountMode, location, home, folder, driver, lineage, snapshot: options.snapshot },
      { signal: options.signal },
    );
  }

  /** The allowed folders, in the name space of the image's own driver and of each driver with an allowed scheme. */
  async #roots(
    own: StorageDriver | undefined,
    { allowBacking = [], allowSchemes = [] }: PushOptions,
  ): Promise<ChainPolicy['roots']> {
    const roots = new Map<StorageDriver, readonly string[]>();
    for (const driver of this.services.drivers) {
      if (driver === own || driver.schemes.some((scheme) => allowSchemes.includes(scheme)))
        roots.set(driver, await canonicalAll(driver, allowBacking));
    }
    return roots;
  }

  readonly #stack: StackFormat = async (disk, formatName, policy, place, io) => {
    const { format, head } =
      formatName === undefined
        ? await this.#probe(disk, place.location, io)
        : { format: this.registry.named(formatName), head: undefined };
    if (place.snapshot !== undefined && !format.accepts?.includes('snapshot')) {
      throw new DiskError('ERR_UNSUPPORTED', `${format.name} images have no internal snapshots`, {
        layer: place.location,
      });
    }
    const module = format.open(disk, openContext(policy, place, head, this.#stack));
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

function checkMountMode(mode: string = 'r'): MountMode {
  if (mode === 'r' || mode === 'rw') return mode;
  throw new DiskError('ERR_ARGUMENT', `Unrecognized mountMode: ${mode}`);
}

async function canonicalAll(driver: StorageDriver, folders: readonly string[]): Promise<readonly string[]> {
  const roots = await Promise.all(folders.map((folder) => driver.canonical(folder)));
  return roots.filter((root) => root !== undefined);
}
