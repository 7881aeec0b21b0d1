import type { Io } from './disk-module.ts';

/** Clones ranges of one disk into another. */
export interface Cloner {
  /** Offsets in the source are multiples of this many bytes. */
  readonly blockSize: number;
  /** Offsets in the target, and lengths, are multiples of this many bytes: of `blockSize`, or a larger unit of the target. */
  readonly unit: number;
  /**
   * Makes `length` bytes of the target at `to` the bytes of the source at `from`, without reading them. They are whole and inside
   * both disks. Returns false if that is not possible, now and for every further range: the range of the target then has its old
   * bytes or the new ones, and has to be written.
   */
  clone(from: number, to: number, length: number, io?: Io): Promise<boolean>;
}
