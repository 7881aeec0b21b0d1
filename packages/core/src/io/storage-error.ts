import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';

/** What a storage threw, as a `DiskError` that names it. */
export function storageError(error: unknown, layer: string | undefined, offset?: number): DiskError {
  if (error instanceof DiskError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DiskError('ERR_IO', `the storage failed: ${reason}`, { layer, offset, cause: error });
}

/** Initialises a storage of anybody's making: what it throws, and a size that is none, are errors of that storage. */
export async function initStorage(disk: DiskModule, layer: string | undefined, io: Io): Promise<void> {
  try {
    await disk.init(io);
    const size = disk.size();
    if (Number.isSafeInteger(size) && size >= 0) return;
    throw new DiskError('ERR_IO', `the storage says that it has ${String(size)} bytes`, { layer });
  } catch (error) {
    throw storageError(error, layer);
  }
}
