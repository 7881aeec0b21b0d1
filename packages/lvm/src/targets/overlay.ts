import type { LazyBlockMap } from './block-map.ts';
import { inPieces, type Target } from './target.ts';

export interface Overlay {
  /** Bytes. */
  readonly size: number;
  /** Has what the map does not name. At least as long. */
  readonly origin: Target;
  /** Has the blocks that the map names. */
  readonly store: Target;
  readonly blockBytes: number;
  readonly table: LazyBlockMap;
}

/** A target of which some blocks are somewhere else: what a snapshot has saved, what a cache holds. */
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
