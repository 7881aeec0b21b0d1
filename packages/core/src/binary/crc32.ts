/**
 * A 32-bit cyclic redundancy check, least significant bit first. `initial` is the initial value of the register, and the result
 * is XORed with `finalXor`. Default of both: all ones, as in the common variants.
 */
export type Crc32 = (bytes: Uint8Array, initial?: number, finalXor?: number) => number;

const ALL_ONES = 0xffff_ffff;
/** Bytes processed per step, each with its own table ("slicing-by-8"). */
const SLICES = 8;

/** Makes the check for a polynomial, which is given bit-reversed. */
export function reflectedCrc32(polynomial: number): Crc32 {
  let tables: Int32Array | undefined;
  return (bytes, initial = ALL_ONES, finalXor = ALL_ONES) => {
    tables ??= slicingTables(polynomial);
    return (update(tables, initial | 0, bytes) ^ finalXor) >>> 0;
  };
}

/** IEEE 802.3: zlib, GPT, and (with another initial value) LVM2. */
export const crc32: Crc32 = reflectedCrc32(0xedb8_8320);
/** Castagnoli: iSCSI, btrfs, device-mapper's thin and cache metadata. */
export const crc32c: Crc32 = reflectedCrc32(0x82f6_3b78);

/** `tables[256 * k + b]` is the effect of byte `b` on the register if `k` zero bytes follow it. */
function slicingTables(polynomial: number): Int32Array {
  const tables = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let register = byte;
    for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (register & 1 ? polynomial : 0);
    tables[byte] = register;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] ?? 0;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] ?? 0);
  }
  return tables;
}

function update(tables: Int32Array, initial: number, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = (slice: number, byte: number): number => tables[slice * 256 + (byte & 0xff)] ?? 0;
  let register = initial;
  let at = 0;
  for (; at + SLICES <= bytes.length; at += SLICES) {
    const low = register ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    register =
      table(7, low) ^
      table(6, low >>> 8) ^
      table(5, low >>> 16) ^
      table(4, low >>> 24) ^
      table(3, high) ^
      table(2, high >>> 8) ^
      table(1, high >>> 16) ^
      table(0, high >>> 24);
  }
  for (; at < bytes.length; at++) register = (register >>> 8) ^ table(0, register ^ (bytes[at] ?? 0));
  return register;
}
