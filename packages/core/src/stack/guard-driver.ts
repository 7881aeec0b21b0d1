import type { StorageDriver } from '../contracts/storage-driver.ts';
import { storageError } from '../storage-error.ts';

/**
 * The same driver, held to its contract: what it throws is a `DiskError`. A driver for a network may throw anything
 * (`TypeError: fetch failed`), and that is a fault of one storage, not of the program.
 */
export function guardDriver(driver: StorageDriver): StorageDriver {
  const guarded = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storageError(error, path);
    }
  };
  return {
    scheme: driver.scheme,
    open(path, options) {
      try {
        return driver.open(path, options);
      } catch (error) {
        throw storageError(error, path);
      }
    },
    kind: (path) => guarded(path, () => driver.kind(path)),
    canonical: (path) => guarded(path, () => driver.canonical(path)),
    identity: (path) => guarded(path, () => driver.identity(path)),
  };
}
