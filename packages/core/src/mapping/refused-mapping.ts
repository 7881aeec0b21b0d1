import type { MountMode } from '../contracts/disk-format.ts';
import type { Limits } from '../contracts/services.ts';
import { DiskError } from '../errors/disk-error.ts';
import { tooLarge } from './disk-changes.ts';
import { MAX_SOURCES } from './extent-list.ts';
import type { Mapping } from './mapping.ts';

/** Returns an error if a disk may not have this mapping, over so many sources. */
export function refusedMapping(
  { writer, size }: Mapping,
  sources: number,
  { mountMode, limits, format }: { mountMode: MountMode; limits: Limits; format: string },
): DiskError | undefined {
  if (mountMode === 'rw' && writer === undefined) {
    const reason = `writing ${format} images is not supported; open it with mountMode 'r'`;
    return new DiskError('ERR_UNSUPPORTED', reason);
  }
  if (sources > MAX_SOURCES) {
    const reason = `the disk is stored on ${sources} disks, at most ${MAX_SOURCES} are supported`;
    return new DiskError('ERR_LIMIT', reason);
  }
  return tooLarge(size, limits.maxVirtualSize);
}
