import { DiskError, hex, type Limits } from '@diskstack/core';
import { limitError } from '@diskstack/core/format';
import { INCOMPATIBLE, unknownIncompatible } from '../layout/feature-bits.ts';
import { type Geometry, l1EntriesFor } from '../layout/geometry.ts';
import { COMPRESSION_TYPE_AT, HEADER_V2, HEADER_V3, type Header } from '../layout/header.ts';
import type { DiskState } from './disk-state.ts';

/** 2 MiB, as in qemu. */
const MAX_CLUSTER_BITS = 21;

/** Runs first: everything else is measured in clusters. */
export function validateClusterBits({ clusterBits, headerLength, version }: Header): void {
  if (clusterBits < 9 || clusterBits > MAX_CLUSTER_BITS) {
    throw new DiskError(
      'ERR_CORRUPT',
      `cluster_bits is ${clusterBits}, 9 to ${MAX_CLUSTER_BITS} are allowed`,
      {
        offset: HEADER_V2.at.clusterBits,
      },
    );
  }
  if (version >= 3 && headerLength < HEADER_V3.size) {
    throw new DiskError(
      'ERR_CORRUPT',
      `header_length is ${headerLength}, version 3 has at least ${HEADER_V3.size}`,
      {
        offset: HEADER_V3.at.headerLength,
      },
    );
  }
}

/** Refuses features that this reader does not know or support. */
export function validateFeatures(header: Header, featureNames: Uint8Array | undefined): void {
  const { incompatibleFeatures: features, compressionType, cryptMethod, refcountOrder, clusterBits } = header;
  const { at } = HEADER_V3;
  const unknown = unknownIncompatible(features, featureNames);
  if (unknown.length > 0) {
    throw new DiskError('ERR_UNSUPPORTED', `unknown incompatible features: ${unknown.join(', ')}`, {
      offset: at.incompatibleFeatures,
    });
  }
  if (((features & INCOMPATIBLE.compressionType) !== 0n) !== (compressionType !== 0)) {
    throw new DiskError(
      'ERR_CORRUPT',
      `compression_type is ${compressionType}, which contradicts incompatible feature bit 3 (features ${hex64(features)})`,
      { offset: COMPRESSION_TYPE_AT },
    );
  }
  if (compressionType > 1) {
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `compression_type ${compressionType}, known are 0 (zlib) and 1 (zstd)`,
      {
        offset: COMPRESSION_TYPE_AT,
      },
    );
  }
  if (cryptMethod > 2) {
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `crypt_method ${cryptMethod}, known are 0 (none), 1 (AES) and 2 (LUKS)`,
      {
        offset: at.cryptMethod,
      },
    );
  }
  if (refcountOrder > 6) {
    throw new DiskError('ERR_CORRUPT', `refcount_order is ${refcountOrder}, 0 to 6 are allowed`, {
      offset: at.refcountOrder,
    });
  }
  if (features & INCOMPATIBLE.extendedL2 && clusterBits < 14) {
    throw new DiskError(
      'ERR_CORRUPT',
      `cluster_bits is ${clusterBits}, extended L2 entries need at least 14`,
      {
        offset: at.clusterBits,
      },
    );
  }
}

/**
 * Validates the place and size of the L1 table of a state. Returns the number of entries that the disk needs. Further
 * entries map the VM state of a snapshot.
 */
export function validateL1(state: DiskState, geometry: Geometry, limits: Limits): number {
  const { size, l1Size, l1TableOffset, fieldAt } = state;
  if (l1Size * 8 > limits.maxTableBytes) {
    throw limitError('maxTableBytes', limits, `an L1 table of ${l1Size * 8} bytes`, fieldAt.l1Size);
  }
  const needed = l1EntriesFor(size, geometry);
  if (l1Size < needed) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the L1 table has ${l1Size} entries, ${needed} needed for ${size} bytes`,
      { offset: fieldAt.l1Size },
    );
  }
  if (l1TableOffset % geometry.clusterSize !== 0 || (needed > 0 && l1TableOffset === 0)) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the L1 table is at byte ${hex(l1TableOffset)}, it must be at a multiple of ${geometry.clusterSize} after the header`,
      { offset: fieldAt.l1TableOffset },
    );
  }
  return needed;
}

/** Validates the length of a backing file name. The field is at the same byte in all versions. */
export function validateNameLength(length: number, limits: Limits): void {
  if (length <= limits.maxNameBytes) return;
  const found = `a backing file name of ${length} bytes`;
  throw limitError('maxNameBytes', limits, found, HEADER_V2.at.backingFileSize);
}

function hex64(features: bigint): string {
  return `0x${features.toString(16)}`;
}
