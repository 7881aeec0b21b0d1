import { DiskError } from '../errors/disk-error.ts';

const storages = new Set<string>();
const disks = new WeakSet<object>();

/**
 * Claims a storage for one writer of this process: two writers that cache the metadata of one image would destroy it. Other
 * processes are kept out by the locks of the storage, if it has any.
 *
 * @param storage a string that identifies the storage for all its users, or the disk itself
 * @returns a function that ends the claim
 */
export function claimForWriting(storage: string | object, layer: string | undefined): () => void {
  refuseClaimed(storage, layer);
  if (typeof storage === 'string') {
    storages.add(storage);
    return () => void storages.delete(storage);
  }
  disks.add(storage);
  return () => void disks.delete(storage);
}

/** Throws `ERR_LOCKED` if this process has the storage open for writing. */
export function refuseClaimed(storage: string | object, layer: string | undefined): void {
  if (typeof storage === 'string' ? !storages.has(storage) : !disks.has(storage)) return;
  throw new DiskError('ERR_LOCKED', 'already open for writing in this process', { layer });
}
