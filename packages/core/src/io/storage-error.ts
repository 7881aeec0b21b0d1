import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';

/** Converts an error of a storage to a `DiskError` that names the storage. A `DiskError` is returned unchanged. */
export function storageError(error: unknown, layer: string | undefined, offset?: number): DiskError {
  if (error instanceof DiskError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DiskError('ERR_IO', `the storage failed: ${reason}`, { layer, offset, cause: error });
}

/** Initialises a storage, which may be foreign code: anything that it throws, and an invalid size, become a `DiskError`. */
export async function initStorage(disk: DiskModule, layer: string | undefined, io: Io): Promise<void> {
  try {
    await disk.init(io);
    const size = disk.size();
    if (Number.isSafeInteger(size) && size >= 0) return;
    throw new DiskError('ERR_IO', `the storage reports an invalid size: ${String(size)}`, { layer });
  } catch (error) {
    throw storageError(error, layer);
  }
}
