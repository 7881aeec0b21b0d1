import { can } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import { BlobDisk } from '../disks/blob-disk.ts';
import { MemoryDisk } from '../disks/memory-disk.ts';
import { SliceDisk } from '../disks/slice-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { schemeOf } from './location-names.ts';
import type { OpenOptions, PushOptions, Source } from './open-options.ts';

/** The first one takes plain paths. */
type Drivers = readonly StorageDriver[];

/** The disk at the bottom of a stack, and what its image may count as its own. */
export interface Storage {
  readonly disk: DiskModule;
  /** What it is called. */
  readonly location: string | undefined;
  /** Where it is in the name space of the driver, where the caller opened it by that name. Nothing else gives a folder. */
  readonly home: string | undefined;
  readonly driver: StorageDriver | undefined;
}

/** The storage that a caller names, or brings. Nothing is opened yet. */
export function storageOf(drivers: Drivers, source: Source, options: OpenOptions): Storage {
  const { location, mountMode } = options;
  const writable = mountMode === 'rw';
  if (typeof source === 'string') {
    const driver = driverOf(drivers, source);
    const home = location ?? source;
    return { disk: driver.open(source, { writable }), location: home, home, driver };
  }
  if (source instanceof Uint8Array) return storageOn(drivers, new MemoryDisk(source, { writable }), options);
  if (source instanceof Blob) return storageOn(drivers, new BlobDisk(source), options);
  if (isDisk(source)) return storageOn(drivers, source, options);
  throw new DiskError('ERR_ARGUMENT', `a path, bytes, a Blob or a disk can be opened, not ${typeof source}`);
}

/** Callers without types pass anything. */
export function isDisk(source: unknown): source is DiskModule {
  return (
    typeof source === 'object' && source !== null && 'read' in source && typeof source.read === 'function'
  );
}

/** What a disk says of itself is a name for people. Only the caller can say that it counts as a file. */
export function storageOn(drivers: Drivers, disk: DiskModule, { location }: PushOptions): Storage {
  if (location === undefined || drivers.length === 0) {
    const [driver] = drivers;
    return { disk, location: location ?? locationOf(disk), home: undefined, driver };
  }
  return { disk, location, home: location, driver: driverOf(drivers, location) };
}

/** The driver of a location: by its scheme, or the first one, which takes plain paths. */
export function driverOf(drivers: Drivers, location: string): StorageDriver {
  const [first] = drivers;
  if (first === undefined) {
    throw new DiskError('ERR_ARGUMENT', `no storage driver is registered that could open ${quote(location)}`);
  }
  const scheme = first.isPath?.(location) ? undefined : schemeOf(location);
  return drivers.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme)) ?? first;
}

/** The image may start inside of its storage: then it is one that was found in another, unless the caller says its path. */
export function cutAt(storage: Storage, { offset = 0, location }: OpenOptions): Storage {
  if (offset === 0) return storage;
  return { ...storage, disk: new SliceDisk(storage.disk, offset), home: location && storage.home };
}

/** Equal for two disks exactly when they are the same bytes, as far as that can be seen. */
export async function identify({ driver, home, location }: Storage): Promise<string> {
  if (driver === undefined || home === undefined) return location === undefined ? '' : `volume ${location}`;
  const canonical = await driver.canonical(home);
  return canonical === undefined ? `volume ${home}` : driver.identity(canonical);
}

function locationOf(disk: DiskModule): string | undefined {
  return can(disk, 'location') ? disk.location : undefined;
}
