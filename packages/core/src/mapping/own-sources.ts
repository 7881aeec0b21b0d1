import type { DiskModule } from '../contracts/disk-module.ts';
import type { Mapping } from './mapping.ts';

/** Returns the sources that the mapping has opened itself: all except `given`, the downstream disk or the members. */
export function ownSources(
  { sources = [] }: Mapping,
  given: readonly (DiskModule | undefined)[],
): readonly DiskModule[] {
  return sources.filter((source) => !given.includes(source));
}

/** Closes every disk, even if some fail. Then throws the first error. */
export async function closeAll(disks: readonly (DiskModule | undefined)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const disk of disks) {
    try {
      if (disk !== undefined) await disk.close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
