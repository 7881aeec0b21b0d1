import { can, type DiskExtent, type DiskModule } from '@diskstack/core';

/** All extents of an open disk. */
export async function extentsOf(disk: DiskModule): Promise<readonly DiskExtent[]> {
  if (!can(disk, 'extents')) throw new Error('the disk has no extents');
  const extents: DiskExtent[] = [];
  for await (const extent of disk.extents()) extents.push(extent);
  return extents;
}
