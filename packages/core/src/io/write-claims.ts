import { DiskError } from '../errors/disk-error.ts';

const storages = new Set<string>();
const disks = new WeakSet<object>();

/**
 * Claims a storage for one writer of this process: by a name that all who open it share, or by the disk itself. Two
 * writers that keep metadata of one image in memory would destroy it. Other processes are kept out by
 * the storage, where it can.
 *
 * @returns ends the claim
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

/** Refuses a storage that this process has open for writing. */
export function refuseClaimed(storage: string | object, layer: string | undefined): void {
  if (typeof storage === 'string' ? !storages.has(storage) : !disks.has(storage)) return;
  throw new DiskError('ERR_LOCKED', 'it is open for writing already, and can be only once', { layer });
}
