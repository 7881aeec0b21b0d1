import { SECTOR } from '@diskstack/core/format';

const TWO_32 = 2 ** 32;
const COPIED = 0x80000000;
const COMPRESSED = 0x40000000;

// An entry of 64 bits is given as two halves of 32 bits; `hi` is bits 32 to 63. No other file looks at single bits.

/** qcow2 spec, "L2 table entry", bit 62. */
export function isCompressed(hi: number): boolean {
  return (hi & 0x40000000) !== 0;
}

/** qcow2 spec, "Standard Cluster Descriptor", bit 0. Version 3 without extended L2 entries only. */
export function hasZeroFlag(lo: number): boolean {
  return (lo & 1) !== 0;
}

/**
 * qcow2 spec, "Standard Cluster Descriptor", bits 9 to 55. 0: unallocated. Exact as a number, because its low 9 bits
 * are zero.
 */
export function hostClusterOffset(hi: number, lo: number): number {
  return (hi & 0x00ffffff) * TWO_32 + ((lo & 0xfffffe00) >>> 0);
}

/**
 * Whether the host cluster offset is a multiple of the cluster size. The low half decides: clusters have at most 2 MiB.
 */
export function isAligned(lo: number, clusterSize: number): boolean {
  return (lo & 0xfffffe00 & (clusterSize - 1)) === 0;
}

/**
 * qcow2 spec, "Compressed Clusters Descriptor": `x`, the bits of the host offset, less the 32 of the low half.
 * From 29 (512-byte clusters) down to 17 (2 MiB).
 */
function offsetBitsInHi(clusterBits: number): number {
  return 62 - (clusterBits - 8) - 32;
}

/** qcow2 spec, "Compressed Clusters Descriptor", bits 0 to x-1: any byte of the image. */
export function compressedOffset(hi: number, lo: number, clusterBits: number): number {
  return (hi & (2 ** offsetBitsInHi(clusterBits) - 1)) * TWO_32 + lo;
}

/**
 * qcow2 spec, "Compressed Clusters Descriptor", bits x to 61: sectors beyond the one that holds the offset. In bytes.
 */
export function compressedBytes(hi: number, lo: number, clusterBits: number): number {
  const additionalSectors = (hi & 0x3fffffff) >>> offsetBitsInHi(clusterBits);
  return (additionalSectors + 1) * SECTOR - (lo % SECTOR);
}

/** qcow2 spec, "L2 table entry", bit 63: the cluster's refcount is exactly one. */
export function isCopied(hi: number): boolean {
  return hi >= 0x80000000;
}

/** qcow2 spec, "Standard Cluster Descriptor", bits 1 to 8 and 56 to 61; also bit 0 when it is not the zero flag. */
export function hasReservedL2Bits(hi: number, lo: number, hasZeroBit: boolean): boolean {
  return (hi & 0x3f000000) !== 0 || (lo & (hasZeroBit ? 0x1fe : 0x1ff)) !== 0;
}

/** Writes a standard descriptor at byte `at` of a table: a host offset (0 for none), COPIED, and the zero flag. */
export function putStandardEntry(
  table: DataView,
  at: number,
  hostOffset: number,
  flags: { readonly copied: boolean; readonly zero: boolean },
): void {
  table.setUint32(at, Math.floor(hostOffset / TWO_32) + (flags.copied ? COPIED : 0));
  table.setUint32(at + 4, (hostOffset % TWO_32) + (flags.zero ? 1 : 0));
}

/** Writes a compressed descriptor at byte `at` of a table, for `stored` bytes at `hostOffset`. */
export function putCompressedEntry(
  table: DataView,
  at: number,
  hostOffset: number,
  stored: number,
  clusterBits: number,
): void {
  const additionalSectors = Math.floor((hostOffset + stored - 1) / SECTOR) - Math.floor(hostOffset / SECTOR);
  const sectors = additionalSectors * 2 ** offsetBitsInHi(clusterBits);
  table.setUint32(at, COMPRESSED + sectors + Math.floor(hostOffset / TWO_32));
  table.setUint32(at + 4, hostOffset % TWO_32);
}

/** The first byte that is too high for a compressed descriptor. */
export function compressedOffsetLimit(clusterBits: number): number {
  return 2 ** (offsetBitsInHi(clusterBits) + 32);
}
