import { DiskError, type Limits } from '@diskstack/core';
import type { LazyTable } from '../segments/segment-type.ts';

/** Bytes that one entry takes in memory. */
const ENTRY_BYTES = 16;

/** Blocks that are somewhere else than the rest: by their number, the byte where they are. Of two entries the later one counts. */
export class BlockMap {
  readonly blocks: Float64Array;
  readonly places: Float64Array;

  constructor(blocks: readonly number[], places: readonly number[]) {
    const order = new Uint32Array(blocks.length).map((_, index) => index);
    order.sort((a, b) => (blocks[a] ?? 0) - (blocks[b] ?? 0) || a - b);
    this.blocks = new Float64Array(blocks.length);
    this.places = new Float64Array(blocks.length);
    let count = 0;
    for (const index of order) {
      const block = blocks[index] ?? 0;
      if (count > 0 && this.blocks[count - 1] === block) count--;
      this.blocks[count] = block;
      this.places[count] = places[index] ?? 0;
      count++;
    }
    this.blocks = this.blocks.subarray(0, count);
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
