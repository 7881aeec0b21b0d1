import type { Limits } from '@diskstack/core';
import { limitError } from '@diskstack/core/format';
import type { LazyTable } from './lazy-table.ts';
import { sortedOrder } from './sorted-order.ts';

/** Memory for one entry, in bytes: two 64-bit floats. */
const ENTRY_BYTES = 16;

/** A sorted map from block numbers to byte offsets, for blocks that are stored apart from the others. */
export class BlockMap {
  readonly blocks: Float64Array;
  /** Byte offsets, in the order of `blocks`. */
  readonly places: Float64Array;

  private constructor(blocks: Float64Array, places: Float64Array) {
    this.blocks = blocks;
    this.places = places;
  }

  /** Sorts entries. If a block occurs several times, its last entry wins. */
  static async of(unsorted: readonly number[], unsortedPlaces: readonly number[]): Promise<BlockMap> {
    const order = await sortedOrder(Float64Array.from(unsorted));
    const blocks = new Float64Array(order.length);
    const places = new Float64Array(order.length);
    let count = 0;
    for (const index of order) {
      const block = unsorted[index] ?? 0;
      if (count > 0 && blocks[count - 1] === block) count--;
      blocks[count] = block;
      places[count] = unsortedPlaces[index] ?? 0;
      count++;
    }
    return new BlockMap(blocks.subarray(0, count), places.subarray(0, count));
  }

  /** The index of the first entry at or after `block`. */
  from(block: number): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.blocks[middle] ?? 0) < block) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A `BlockMap` that is read on first use. */
export class LazyBlockMap implements LazyTable {
  map: BlockMap | undefined;
  readonly #read: () => Promise<BlockMap>;
  #loading: Promise<void> | undefined;

  constructor(read: () => Promise<BlockMap>) {
    this.#read = read;
  }

  load(): Promise<void> | undefined {
    if (this.map !== undefined) return undefined;
    this.#loading ??= this.#read()
      .then((map) => {
        this.map = map;
      })
      .finally(() => {
        this.#loading = undefined; // after a failure, the next call tries again
      });
    return this.#loading;
  }
}

/** Throws `ERR_LIMIT` if a map of so many entries needs more memory than `maxTableBytes`. */
export function checkEntries(entries: number, what: string, limits: Limits): void {
  const bytes = entries * ENTRY_BYTES;
  if (bytes <= limits.maxTableBytes) return;
  throw limitError('maxTableBytes', limits, `${what} with ${entries} entries needs ${bytes} bytes of memory`);
}
