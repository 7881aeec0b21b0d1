const TWO_32 = 2 ** 32;

// Version 1, as in qemu's block/qcow.c. An entry is given as two halves of 32 bits; `hi` is bits 32 to 63.

/** Bit 63. */
export function isCompressedV1(hi: number): boolean {
  return hi >= 0x80000000;
}

/** A standard cluster: the entry is the offset. 0: unallocated. */
export function hostClusterOffsetV1(hi: number, lo: number): number {
  return hi * TWO_32 + lo;
}

/** Bits of a compressed cluster's offset that are in the high half: 63 - cluster_bits in all. From 22 down to 15. */
function offsetBitsInHi(clusterBits: number): number {
  return 63 - clusterBits - 32;
}

/** Bits 0 to 62 - cluster_bits: any byte of the image. */
export function compressedOffsetV1(hi: number, lo: number, clusterBits: number): number {
  return (hi & (2 ** offsetBitsInHi(clusterBits) - 1)) * TWO_32 + lo;
}

/** Bits 63 - cluster_bits to 62: the stored size, in bytes. */
export function compressedBytesV1(hi: number, clusterBits: number): number {
  return (hi & 0x7fffffff) >>> offsetBitsInHi(clusterBits);
}

/** Writes a compressed entry for `stored` bytes at the start of a table. Returns false when the offset does not fit. */
export function putCompressedV1(
  table: DataView,
  hostOffset: number,
  stored: number,
  clusterBits: number,
): boolean {
  const bits = offsetBitsInHi(clusterBits);
  if (hostOffset >= 2 ** (bits + 32)) return false;
  table.setUint32(0, 0x80000000 + stored * 2 ** bits + Math.floor(hostOffset / TWO_32));
  table.setUint32(4, hostOffset % TWO_32);
  return true;
}
