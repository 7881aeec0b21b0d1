import { DiskError, type Limits } from '@diskstack/core';
import type { LazyTable } from './lazy-table.ts';
import { sortedOrder } from './sorted-order.ts';

/** Bytes that one entry takes in memory. */
const ENTRY_BYTES = 16;

/** Blocks that are somewhere else than the rest: by their number, the byte where they are. Of two entries the later one counts. */
export class BlockMap {
  readonly blocks: Float64Array;
  readonly places: Float64Array;

  private constructor(blocks: Float64Array, places: Float64Array) {
    this.blocks = blocks;
    this.places = places;
  }

  /** Of entries in any order. */
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

  /** Index of the first entry at or after this block. */
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

/** A `BlockMap` that is read when it is first needed. */
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
        this.#loading = undefined; // after a failure whoever asks next tries again
      });
    return this.#loading;
  }
}

/** A map of so many entries fits into the limit for tables. */
export function checkEntries(entries: number, what: string, { maxTableBytes }: Limits): void {
  if (entries * ENTRY_BYTES <= maxTableBytes) return;
  throw new DiskError(
    'ERR_LIMIT',
    `${what} with ${entries} entries needs ${entries * ENTRY_BYTES} bytes of memory, maxTableBytes allows ${maxTableBytes}`,
  );
}
