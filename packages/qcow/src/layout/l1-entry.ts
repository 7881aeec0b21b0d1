const TWO_32 = 2 ** 32;
const COPIED = 0x80000000;

/** qcow2 spec, "L1 table entry": bits 9 to 55 are the L2 table's offset, 0 for none. */
export function l2TableOffset(hi: number, lo: number): number {
  return (hi & 0x00ffffff) * TWO_32 + ((lo & 0xfffffe00) >>> 0);
}

/** Version 1: the entry is the offset. There are no flags, and no alignment. */
export function l2TableOffsetV1(hi: number, lo: number): number {
  return hi * TWO_32 + lo;
}

/** qcow2 spec, "L1 table entry", bits 0 to 8 and 56 to 62. */
export function hasReservedL1Bits(hi: number, lo: number): boolean {
  return (hi & 0x7f000000) !== 0 || (lo & 0x1ff) !== 0;
}

/** qcow2 spec, "L1 table entry", bit 63: the L2 table's refcount is exactly one. */
export function isL1Copied(hi: number): boolean {
  return hi >= 0x80000000;
}

/** Writes an entry: the L2 table's offset, and whether its refcount is exactly one. */
export function putL1Entry(table: DataView, index: number, offset: number, copied: boolean): void {
  table.setUint32(index * 8, Math.floor(offset / TWO_32) + (copied && offset !== 0 ? COPIED : 0));
  table.setUint32(index * 8 + 4, offset % TWO_32);
}
