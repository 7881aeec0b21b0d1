import { DEFAULT_LIMITS, DiskError } from '@diskstack/core';
import { roundUp, SECTOR } from '@diskstack/core/format';
import { type Geometry, geometry, l1EntriesFor } from '../layout/geometry.ts';
import type { Preallocation, QcowShape } from './options.ts';

const MIN_CLUSTER = 512;
const MAX_CLUSTER = 2 * 1024 * 1024;
/** qcow2 spec, "Extended L2 Entries": a sub-cluster has at least one sector. */
const MIN_EXTENDED_CLUSTER = 16 * 1024;

/** The shape of an image, complete and checked. */
export interface Shape {
  readonly size: number;
  readonly version: 2 | 3;
  readonly geometry: Geometry;
  readonly refcountOrder: number;
  readonly extendedL2: boolean;
  readonly preallocation: Preallocation;
  /** Entries of the L1 table. */
  readonly l1Size: number;
  readonly guestClusters: number;
}

/** Checks the options. `ERR_ARGUMENT`, with the name of the option, for what the format does not support. */
export function shapeOf(options: QcowShape): Shape {
  const { version = 3, clusterSize = 65_536, refcountBits = 16, extendedL2 = false } = options;
  const { preallocation = 'off' } = options;
  if (version !== 2 && version !== 3) refuse(`version ${version as number}; 2 and 3 are possible`);
  if (!isPowerOfTwo(clusterSize) || clusterSize < MIN_CLUSTER || clusterSize > MAX_CLUSTER)
    refuse(`a cluster size of ${clusterSize}; it has to be a power of two from ${MIN_CLUSTER} to 2 MiB`);
  if (!isPowerOfTwo(refcountBits) || refcountBits > 64)
    refuse(`refcounts of ${refcountBits} bits; the width has to be a power of two up to 64`);
  if (version < 3 && refcountBits !== 16)
    refuse(`refcounts of ${refcountBits} bits need version 3 (compat 1.1); version 2 has 16`);
  if (extendedL2) requireVersion3(version, 'extended L2 entries');
  if (extendedL2 && clusterSize < MIN_EXTENDED_CLUSTER)
    refuse(`a cluster size of ${clusterSize}; extended L2 entries need ${MIN_EXTENDED_CLUSTER}`);
  if (!['off', 'metadata', 'falloc', 'full'].includes(preallocation))
    refuse(`preallocation ${preallocation}; off, metadata, falloc and full are possible`);
  const size = roundUp(options.size, SECTOR);
  if (!Number.isSafeInteger(size) || size < 0)
    refuse(`a disk of ${options.size} bytes; the size has to be a whole number from 0 to 2^53 - ${SECTOR}`);
  const shape = geometry(Math.log2(clusterSize), extendedL2 ? 16 : 8);
  const l1Size = l1EntriesFor(size, shape);
  if (l1Size * 8 > DEFAULT_LIMITS.maxTableBytes) {
    refuse(
      `a disk of ${size} bytes needs an L1 table of ${l1Size * 8} bytes, ${DEFAULT_LIMITS.maxTableBytes} are allowed; larger clusters make it smaller`,
    );
  }
  return {
    size,
    version,
    geometry: shape,
    refcountOrder: Math.log2(refcountBits),
    extendedL2,
    preallocation,
    l1Size,
    guestClusters: Math.ceil(size / clusterSize),
  };
}

export function requireVersion3(version: number, what: string): void {
  if (version < 3) refuse(`${what} need version 3 (compat 1.1), the image is to have version ${version}`);
}

export function refuse(reason: string): never {
  throw new DiskError('ERR_ARGUMENT', reason);
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}
