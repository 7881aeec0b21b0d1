import type { DiskModule } from './disk-module.ts';

/**
 * A run of guest bytes with one answer to "where are these?", as a caller sees it from the top of a chain.
 *
 * - `data`: stored as they are, at byte `at` of `source`
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
  /**
   * The byte of `source` where the bytes are stored (or reserved, for `zero`). Absent where no disk holds them as they are:
   * compressed, encrypted, inline in metadata, replayed from a log, or computed from other disks.
   */
  readonly at?: number;
  /**
   * The disk that `at` is a byte of. Default: the downstream disk of the layer at `depth`, its file as a rule (a storage
   * without a layer is its own). Another one is a data file, or the disk that a logical volume is on. `sourceOf` gives it.
   */
  readonly source?: DiskModule;
}
