import type { DiskModule } from '../contracts/disk-module.ts';
import type { Mapping } from './mapping.ts';

/** The sources that a mapping has opened itself. `given`: the downstream disk, or the members, which belong to others. */
export function ownSources(
  { sources = [] }: Mapping,
  given: readonly (DiskModule | undefined)[],
): readonly DiskModule[] {
  return sources.filter((source) => !given.includes(source));
}

/** Closes every disk, also when one of them fails; then the first failure is thrown. */
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
