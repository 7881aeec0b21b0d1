import { DiskError } from './contracts/errors.ts';

/** What a storage threw, as a `DiskError` that names it. */
export function storageError(error: unknown, layer: string | undefined, offset?: number): DiskError {
  if (error instanceof DiskError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DiskError('ERR_IO', `the storage failed: ${reason}`, { layer, offset, cause: error });
}
