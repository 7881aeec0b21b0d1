import { contradicts } from './extended-l2-entry.ts';
import type { Geometry } from './geometry.ts';
import {
  compressedBytes,
  compressedOffset,
  hasZeroFlag,
  hostClusterOffset,
  isAligned,
  isCompressed,
  isCopied,
} from './l2-entry.ts';

/** What the L2 entries of one image mean: that depends on its version and its features. */
export interface L2Shape {
  readonly geometry: Geometry;
  readonly version: number;
  /** Entries have 16 bytes, with a bitmap of sub-clusters. */
  readonly extended: boolean;
  /** The clusters are in an external data file, where host offset 0 is an offset like any other. */
  readonly external: boolean;
}

/** The `host` of an entry that names no cluster. */
export const NO_HOST = -1;

/** Why a standard descriptor cannot be used. */
export type L2Problem = 'unaligned' | 'contradiction' | 'zero in version 2';

/**
 * The meaning of an L2 entry of version 2 or 3. Its cluster has units that are each allocated, zero, or neither: the 32
 * sub-clusters of an extended entry, or the cluster itself of any other. Bit x of a mask is unit x.
 *
 * The object is mutable so that one can be reused: walking a table then allocates nothing for each entry.
 */
export class L2Entry {
  /** Byte of the host cluster, or of the compressed data; `NO_HOST` without either. */
  host: number = NO_HOST;
  /** Bytes of the compressed data; 0 for a cluster that is not compressed. */
  stored = 0;
  allocated = 0;
  zeroes = 0;

  /**
   * Decodes the entry at byte `at` of a table. The fields are set even when there is a problem, so that a check can
   * judge each of them.
   */
  decode(
    view: DataView,
    at: number,
    { geometry, version, extended, external }: L2Shape,
  ): L2Problem | undefined {
    const { clusterBits, clusterSize } = geometry;
    const hi = view.getUint32(at);
    const lo = view.getUint32(at + 4);
    this.zeroes = extended ? view.getUint32(at + 8) : 0;
    this.allocated = extended ? view.getUint32(at + 12) : 0;
    if (isCompressed(hi)) {
      this.host = compressedOffset(hi, lo, clusterBits);
      this.stored = compressedBytes(hi, lo, clusterBits);
      return undefined;
    }
    const offset = hostClusterOffset(hi, lo);
    const isZero = !extended && hasZeroFlag(lo);
    this.host = offset !== 0 || (external && isCopied(hi) && !isZero) ? offset : NO_HOST;
    this.stored = 0;
    if (!extended) {
      this.zeroes = isZero ? 1 : 0;
      this.allocated = isZero || this.host === NO_HOST ? 0 : 1;
    }
    if (!isAligned(lo, clusterSize)) return 'unaligned';
    if (isZero && version < 3) return 'zero in version 2';
    if (contradicts(this.allocated, this.zeroes) || (this.allocated !== 0 && this.host === NO_HOST))
      return 'contradiction';
    return undefined;
  }
}
