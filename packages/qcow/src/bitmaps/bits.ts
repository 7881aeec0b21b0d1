/**
 * Sets bits `from` to `to`, counted from the least significant one of the first byte. Returns whether any was clear.
 */
export function setBits(bytes: Uint8Array, from: number, to: number): boolean {
  return changeBits(bytes, from, to, true);
}

/** Clears bits `from` to `to`. Returns whether any was set. */
export function clearBits(bytes: Uint8Array, from: number, to: number): boolean {
  return changeBits(bytes, from, to, false);
}

function changeBits(bytes: Uint8Array, from: number, to: number, set: boolean): boolean {
  if (from >= to) return false;
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  let changed = false;
  for (let index = first; index <= last; index++) {
    let mask = 0xff;
    if (index === first) mask &= 0xff << (from & 7);
    if (index === last) mask &= 0xff >>> (7 - ((to - 1) & 7));
    const old = bytes[index] ?? 0;
    const byte = set ? old | mask : old & ~mask;
    if (byte === old) continue;
    bytes[index] = byte;
    changed = true;
  }
  return changed;
}

/** The first bit from `from` on whose value is `set`; `to` when there is none. */
export function findBit(bytes: Uint8Array, from: number, to: number, set: boolean): number {
  const uniform = set ? 0 : 0xff; // a byte without such a bit
  for (let bit = from; bit < to; ) {
    const byte = bytes[bit >>> 3] ?? 0;
    if (byte === uniform) {
      bit = ((bit >>> 3) + 1) << 3;
      continue;
    }
    if (((byte >>> (bit & 7)) & 1) === (set ? 1 : 0)) return bit;
    bit++;
  }
  return to;
}
