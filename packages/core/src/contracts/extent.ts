/**
 * A run of guest bytes with one answer to "where are these?", as a caller sees it from the top of a chain.
 *
 * - `data`: stored as they are, `at` bytes into the downstream disk of the layer at `depth`
 * - `compressed`: stored compressed there
 * - `zero`: reads as zeroes; nothing has to be read
 */
export interface DiskExtent {
  /** Guest offset in bytes. */
  readonly offset: number;
  /** Bytes, at least 1. */
  readonly length: number;
  readonly kind: 'data' | 'compressed' | 'zero';
  /** The layer that gives the answer: 0 is the disk that was asked, 1 its base, and so on. */
  readonly depth: number;
  /** False where no layer of the chain says anything about these bytes, and zeroes are what is left. */
  readonly present: boolean;
  /** Byte offset in the downstream disk of that layer, where the bytes stand (or are reserved, for `zero`). */
  readonly at?: number;
}
