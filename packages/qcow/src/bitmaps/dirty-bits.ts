import { findBit, setBits } from './bits.ts';

/** A run of guest bytes. */
export interface DirtyRun {
  readonly offset: number;
  readonly length: number;
}

const CHUNK_BYTES = 4096;
const CHUNK_BITS = CHUNK_BYTES * 8;
/** Shared by all chunks in which every bit is set. Never changed. */
const FULL = new Uint8Array(CHUNK_BYTES).fill(0xff);

/**
 * A sparse bit set of changed guest bytes. A chunk is allocated when its first bit is set, so memory follows the
 * changes.
 */
export class DirtyBits {
  /** Guest bytes that one bit covers. */
  readonly granularity: number;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(granularity: number) {
    this.granularity = granularity;
  }

  get isEmpty(): boolean {
    return this.#chunks.size === 0;
  }

  /** Records that these bytes changed. `length` is at least 1. */
  add(offset: number, length: number): void {
    const end = Math.ceil((offset + length) / this.granularity);
    for (let bit = Math.floor(offset / this.granularity); bit < end; ) {
      const index = Math.floor(bit / CHUNK_BITS);
      const start = index * CHUNK_BITS;
      const from = bit - start;
      const to = Math.min(CHUNK_BITS, end - start);
      if (to - from === CHUNK_BITS) {
        this.#chunks.set(index, FULL);
      } else {
        const chunk = this.#chunk(index);
        if (chunk !== FULL) setBits(chunk, from, to);
      }
      bit = start + CHUNK_BITS;
    }
  }

  #chunk(index: number): Uint8Array {
    const known = this.#chunks.get(index);
    if (known !== undefined) return known;
    const chunk = new Uint8Array(CHUNK_BYTES);
    this.#chunks.set(index, chunk);
    return chunk;
  }

  /** The changed ranges between two guest offsets, in order. A range that crosses chunks is split. */
  *runs(from: number, to: number): Iterable<DirtyRun> {
    const { granularity } = this;
    const firstBit = Math.floor(from / granularity);
    const endBit = Math.ceil(to / granularity);
    for (const index of this.#touched(
      Math.floor(firstBit / CHUNK_BITS),
      Math.floor((endBit - 1) / CHUNK_BITS),
    )) {
      const chunk = this.#chunks.get(index) as Uint8Array;
      const start = index * CHUNK_BITS;
      const end = Math.min(CHUNK_BITS, endBit - start);
      for (let bit = Math.max(0, firstBit - start); bit < end; ) {
        const first = findBit(chunk, bit, end, true);
        if (first === end) break;
        bit = findBit(chunk, first, end, false);
        const offset = Math.max(from, (start + first) * granularity);
        yield { offset, length: Math.min(to, (start + bit) * granularity) - offset };
      }
    }
  }

  /** The allocated chunks from `first` to `last`, in order. */
  *#touched(first: number, last: number): Iterable<number> {
    const chunks = this.#chunks;
    if (last - first > chunks.size) {
      const inside = [...chunks.keys()].filter((index) => index >= first && index <= last);
      yield* inside.toSorted((a, b) => a - b);
      return;
    }
    for (let index = first; index <= last; index++) if (chunks.has(index)) yield index;
  }
}
