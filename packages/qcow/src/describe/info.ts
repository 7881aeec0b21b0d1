import type { LayerInfo } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';

/** What a QCOW disk reports about itself. */
export interface QcowInfo extends LayerInfo {
  readonly format: 'qcow' | 'qcow2';
  /** 1, 2 or 3. */
  readonly version: number;
  readonly clusterSize: number;
  /** Sectors of 512 bytes in a cluster. */
  readonly clusterSectors: number;
  /** Whole sectors of 512 bytes in the disk. */
  readonly totalSectors: number;
  /** Name of the backing file as stored in the image, `''` without one. Data from the image: quote it. */
  readonly backingFileName: string;
}

/** The facts that all versions share. */
export function sharedInfo(version: number, size: number, clusterSize: number, backingFileName: string) {
  return {
    version,
    virtualSize: size,
    clusterSize,
    clusterSectors: clusterSize / SECTOR,
    totalSectors: Math.floor(size / SECTOR),
    backingFileName,
  };
}
