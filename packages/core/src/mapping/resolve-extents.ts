import type { ExtentsIo } from '../contracts/abilities.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { ExtentWalk, type Layer } from './extent-walk.ts';

/** The extents of a layer and its chain, as `Abilities.extents` reports them. Merges extents that continue each other. */
export async function* resolveExtents(
  layer: Layer,
  offset: number,
  length: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  let last: DiskExtent | undefined;
  for await (const batch of new ExtentWalk(layer, offset, length, io).batches()) {
    for (const extent of batch) {
      if (last === undefined) {
        last = extent;
      } else if (continues(last, extent)) {
        last = { ...last, length: last.length + extent.length };
      } else {
        yield last;
        layer.life.check();
        last = extent;
      }
    }
  }
  if (last !== undefined) yield last;
}

/** Returns whether `next`, the extent after `last`, can be merged with it. */
export function continues(last: DiskExtent, next: DiskExtent): boolean {
  return (
    last.kind === next.kind &&
    last.depth === next.depth &&
    last.present === next.present &&
    last.source === next.source &&
    (last.at === undefined ? next.at === undefined : last.at + last.length === next.at)
  );
}
