const TWO_32 = 2 ** 32;

/** qcow2 spec, "Refcount table entry": bits 9 to 63 are the refcount block's offset, 0 for none. */
export function refcountBlockOffset(hi: number, lo: number): number {
  return hi * TWO_32 + ((lo & 0xfffffe00) >>> 0);
}

/** qcow2 spec, "Refcount table entry", bits 0 to 8. */
export function hasReservedBits(lo: number): boolean {
  return (lo & 0x1ff) !== 0;
}

/** Number of entries of a refcount block. */
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

/** Writes an entry of a refcount block. */
export function putRefcount(block: DataView, index: number, refcountOrder: number, refcount: number): void {
  switch (refcountOrder) {
    case 3:
      block.setUint8(index, refcount);
      return;
    case 4:
      block.setUint16(index * 2, refcount);
      return;
    case 5:
      block.setUint32(index * 4, refcount);
      return;
    case 6:
      block.setUint32(index * 8, Math.floor(refcount / TWO_32));
      block.setUint32(index * 8 + 4, refcount % TWO_32);
      return;
    default: {
      const bits = 2 ** refcountOrder;
      const perByte = 8 / bits;
      const shift = (index % perByte) * bits;
      const at = Math.floor(index / perByte);
      const others = block.getUint8(at) & ~((2 ** bits - 1) << shift);
      block.setUint8(at, others | (refcount << shift));
    }
  }
}

/** The bytes of a block that hold an entry: the first, and the one after the last. */
export function refcountBytes(index: number, refcountOrder: number): readonly [number, number] {
  const bits = 2 ** refcountOrder;
  return [Math.floor((index * bits) / 8), Math.floor((index * bits) / 8) + Math.max(1, bits / 8)];
}

/** Writes an entry of the refcount table. */
export function putRefcountBlockOffset(table: DataView, index: number, offset: number): void {
  table.setUint32(index * 8, Math.floor(offset / TWO_32));
  table.setUint32(index * 8 + 4, offset % TWO_32);
}
