const TWO_32 = 2 ** 32;

/** qcow2 spec, "Refcount table entry": bits 9 to 63 are the refcount block's offset, 0 for none. */
export function refcountBlockOffset(hi: number, lo: number): number {
  return hi * TWO_32 + ((lo & 0xfffffe00) >>> 0);
}

/** qcow2 spec, "Refcount table entry", bits 0 to 8. */
export function hasReservedBits(lo: number): boolean {
  return (lo & 0x1ff) !== 0;
}

/** Entries of a refcount block of this many bytes. */
export function refcountBlockEntries(blockBytes: number, refcountOrder: number): number {
  return (blockBytes * 8) / 2 ** refcountOrder;
}

/** qcow2 spec, "Refcount block entry". Widths below a byte are packed from the least significant bit on. */
export function refcountAt(block: DataView, index: number, refcountOrder: number): number {
  switch (refcountOrder) {
    case 3:
      return block.getUint8(index);
    case 4:
      return block.getUint16(index * 2);
    case 5:
      return block.getUint32(index * 4);
    case 6:
      return block.getUint32(index * 8) * TWO_32 + block.getUint32(index * 8 + 4);
    default: {
      const bits = 2 ** refcountOrder;
      const perByte = 8 / bits;
      const shift = (index % perByte) * bits;
      return (block.getUint8(Math.floor(index / perByte)) >>> shift) & (2 ** bits - 1);
    }
  }
}
