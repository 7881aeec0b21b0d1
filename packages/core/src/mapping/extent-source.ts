import { can } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';

/** The disk that `at` of an extent is a byte of. `disk` is the one that was asked for its extents. */
export function sourceOf(
  disk: DiskModule,
  { depth, source }: Pick<DiskExtent, 'depth' | 'source'>,
): DiskModule {
  if (source !== undefined) return source;
  const layer = can(disk, 'chain') ? disk.chain()[depth] : undefined;
  if (layer !== undefined && layer !== disk) return sourceOf(layer, { depth: 0 });
  if (!can(disk, 'downstream')) return disk;
  // A run of bytes of another disk passes on what that one says.
  return can(disk, 'info') ? disk.downstream : sourceOf(disk.downstream, { depth });
}

/** What a disk passes on of another one: an extent that names its source where it is not the one that goes without saying. */
export function placeFrom(
  disk: DiskModule,
  extent: DiskExtent,
  expected?: DiskModule,
): Pick<DiskExtent, 'at' | 'source'> {
  if (extent.at === undefined) return {};
  const source = sourceOf(disk, extent);
  return source === expected ? { at: extent.at } : { at: extent.at, source };
}
