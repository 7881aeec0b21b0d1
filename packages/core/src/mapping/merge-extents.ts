import type { DiskExtent } from '../contracts/extent.ts';
import { continues } from './resolve-extents.ts';

/** Merges extents that continue each other. */
export async function* mergeExtents(extents: AsyncIterable<DiskExtent>): AsyncGenerator<DiskExtent> {
  let last: DiskExtent | undefined;
  for await (const extent of extents) {
    if (last !== undefined && continues(last, extent)) {
      last = { ...last, length: last.length + extent.length };
      continue;
    }
    if (last !== undefined) yield last;
    last = extent;
  }
  if (last !== undefined) yield last;
}
