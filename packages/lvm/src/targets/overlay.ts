import type { LazyBlockMap } from './block-map.ts';
import { inPieces, type Target } from './target.ts';

export interface Overlay {
  /** Bytes. */
  readonly size: number;
  /** Holds the blocks that are not in the map. At least `size` bytes long. */
  readonly origin: Target;
  /** Holds the blocks that are in the map. */
  readonly store: Target;
  readonly blockBytes: number;
  readonly table: LazyBlockMap;
}

/** A target whose mapped blocks are in `store` and all others in `origin`: exceptions of a snapshot, blocks of a cache. */
export function overlay(layers: Overlay): Target {
  const { size, origin, store, blockBytes, table } = layers;
  const target: Target = {
    size,
    translate(offset, length, extents, io) {
      const { map } = table;
      if (map === undefined) {
        const loading = table.load() ?? Promise.resolve();
        return loading.then(() => target.translate(offset, length, extents, io));
      }
      return inPieces(offset, length, extents, (at, left) => {
        const inBlock = at % blockBytes;
        const block = (at - inBlock) / blockBytes;
        const index = map.from(block);
        const next = map.blocks[index];
        if (next === block) {
          return store.translate(
            (map.places[index] ?? 0) + inBlock,
            Math.min(left, blockBytes - inBlock),
            extents,
            io,
          );
        }
        return origin.translate(
          at,
          next === undefined ? left : Math.min(left, next * blockBytes - at),
          extents,
          io,
        );
      });
    },
  };
  return target;
}
