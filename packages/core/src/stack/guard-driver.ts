import type { StorageDriver } from '../contracts/storage-driver.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { storageError } from '../io/storage-error.ts';
import { isDisk } from './storage.ts';

/**
 * Wraps a driver so that it throws only `DiskError`s. A driver for a network may throw anything (`TypeError: fetch failed`). That
 * is a fault of one storage, not of the program.
 */
export function guardDriver(driver: StorageDriver): StorageDriver {
  const guarded = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storageError(error, path);
    }
  };
  const named = <T>(location: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw storageError(error, location);
    }
  };
  const list = driver.list?.bind(driver);
  return {
    schemes: driver.schemes,
    isPath: (text) => driver.isPath?.(text) ?? false,
    resolve: (base, name) => named(name, () => driver.resolve(base, name)),
    style: driver.style,
    fileName: (location) => named(location, () => driver.fileName?.(location)),
    parent: (location) => named(location, () => driver.parent(location)),
    open(path, options) {
      try {
        const disk: unknown = driver.open(path, options);
        if (isDisk(disk)) return disk;
      } catch (error) {
        throw storageError(error, path);
      }
      throw new DiskError(
        'ERR_IO',
        `the driver of ${driver.schemes.map(quote).join(', ')} returned no disk`,
        {
          layer: path,
        },
      );
    },
    kind: (path) => guarded(path, () => driver.kind(path)),
    canonical: (path) => guarded(path, () => driver.canonical(path)),
    identity: (path) => guarded(path, () => driver.identity(path)),
    list: list && ((path, max) => guarded(path, () => list(path, max))),
  };
}
