import type { DiskModule } from './disk-module.ts';

/**
 * A run of guest bytes and where it is stored, seen from the top of a chain.
 *
 * - `data`: stored unchanged, at byte `at` of `source`
 * - `compressed`: stored compressed
 * - `zero`: reads as zeroes; nothing has to be read
 */
export interface DiskExtent {
  /** Guest offset in bytes. */
  readonly offset: number;
  /** Bytes, at least 1. */
  readonly length: number;
  readonly kind: 'data' | 'compressed' | 'zero';
  /** The layer that the bytes come from: 0 is the disk whose extents these are, 1 is its base, and so on. */
  readonly depth: number;
  /** False if no layer of the chain maps these bytes, so they read as zeroes. */
  readonly present: boolean;
  /**
   * Byte offset in `source` at which the bytes are stored (for `zero`: reserved). Absent if no disk holds them unchanged: they
   * are compressed, encrypted, inline in metadata, replayed from a log, or computed from other disks.
   */
  readonly at?: number;
  /**
   * The disk that `at` is an offset in: a data file, or a disk below a logical volume. Default: the downstream disk of the layer
   * at `depth`, usually its file (for a storage without layers: the storage itself). `sourceOf` resolves the default.
   */
  readonly source?: DiskModule;
}
