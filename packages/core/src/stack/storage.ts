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

/** The first driver takes plain paths. */
type Drivers = readonly StorageDriver[];

/** The disk at the bottom of a stack, and the location that its image may resolve names against. */
export interface Storage {
  readonly disk: DiskModule;
  /** Display name of the storage. */
  readonly location: string | undefined;
  /**
   * Location in the name space of the driver, if the caller opened the storage by that name. Only then does the image
   * have a folder.
   */
  readonly home: string | undefined;
  readonly driver: StorageDriver | undefined;
}

/** Makes the storage from the caller's source. Opens nothing yet. */
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

/** Callers without TypeScript may pass anything. */
export function isDisk(source: unknown): source is DiskModule {
  return (
    typeof source === 'object' && source !== null && 'read' in source && typeof source.read === 'function'
  );
}

/**
 * The storage over a caller's disk. The disk's own `location` is only a display name: `options.location` is what makes it count
 * as a file.
 */
export function storageOn(drivers: Drivers, disk: DiskModule, { location }: PushOptions): Storage {
  if (location === undefined || drivers.length === 0) {
    const [driver] = drivers;
    return { disk, location: location ?? locationOf(disk), home: undefined, driver };
  }
  return { disk, location, home: location, driver: driverOf(drivers, location) };
}

/** The driver of a location: by its scheme. Plain paths go to the first driver. */
export function driverOf(drivers: Drivers, location: string): StorageDriver {
  const [first] = drivers;
  if (first === undefined) {
    throw new DiskError('ERR_ARGUMENT', `no storage driver is registered that could open ${quote(location)}`);
  }
  const scheme = first.isPath?.(location) ? undefined : schemeOf(location);
  return drivers.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme)) ?? first;
}

/** Applies `offset`. An image inside its storage counts as found in another disk, unless the caller passes its path. */
export function cutAt(storage: Storage, { offset = 0, location }: OpenOptions): Storage {
  if (offset === 0) return storage;
  return { ...storage, disk: new SliceDisk(storage.disk, offset), home: location && storage.home };
}

/** Equal for two disks if they have the same bytes, as far as the driver can tell. */
export async function identify({ driver, home, location }: Storage): Promise<string> {
  if (driver === undefined || home === undefined) return location === undefined ? '' : `volume ${location}`;
  const canonical = await driver.canonical(home);
  return canonical === undefined ? `volume ${home}` : driver.identity(canonical);
}

function locationOf(disk: DiskModule): string | undefined {
  return can(disk, 'location') ? disk.location : undefined;
}
