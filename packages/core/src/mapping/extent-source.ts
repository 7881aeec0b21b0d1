import { can } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';

/** Returns the disk that `at` of an extent is an offset in. `disk` is the one whose `extents()` returned the extent. */
export function sourceOf(
  disk: DiskModule,
  { depth, source }: Pick<DiskExtent, 'depth' | 'source'>,
): DiskModule {
  if (source !== undefined) return source;
  const layer = can(disk, 'chain') ? disk.chain()[depth] : undefined;
  if (layer !== undefined && layer !== disk) return sourceOf(layer, { depth: 0 });
  if (!can(disk, 'downstream')) return disk;
  // A disk without `info` is a range of another disk and forwards the extents of that disk.
  return can(disk, 'info') ? disk.downstream : sourceOf(disk.downstream, { depth });
}

/**
 * Returns the place of an extent of `disk` for another disk to report: with its source, unless that is `expected`, the default.
 */
export function placeFrom(
  disk: DiskModule,
  extent: DiskExtent,
  expected?: DiskModule,
): Pick<DiskExtent, 'at' | 'source'> {
  if (extent.at === undefined) return {};
  const source = sourceOf(disk, extent);
  return source === expected ? { at: extent.at } : { at: extent.at, source };
}
