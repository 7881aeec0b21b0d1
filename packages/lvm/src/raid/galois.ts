/** Arithmetic in GF(2^8) with the polynomial 0x11d and the generator 2, as RAID 6 uses it for the parity Q. */
const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);

{
  let value = 1;
  for (let power = 0; power < 255; power++) {
    EXP[power] = value;
    EXP[power + 255] = value;
    LOG[value] = power;
    value = value << 1;
    if (value > 255) value ^= 0x11d;
  }
}

/** The generator to the given power, which may be negative. */
export function generatorPower(power: number): number {
  return EXP[((power % 255) + 255) % 255] ?? 0;
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : (EXP[(LOG[a] ?? 0) + (LOG[b] ?? 0)] ?? 0);
}

/** The multiplicative inverse of `a`, which must not be 0. */
export function inverse(a: number): number {
  return EXP[255 - (LOG[a] ?? 0)] ?? 0;
}

/** Adds `factor` times each byte to `sum`. */
export function addTimes(sum: Uint8Array, bytes: Uint8Array, factor: number): void {
  if (factor === 0) return;
  if (factor === 1) {
    for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] ?? 0) ^ (bytes[at] ?? 0);
    return;
  }
  const shift = LOG[factor] ?? 0;
  for (let at = 0; at < sum.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte !== 0) sum[at] = (sum[at] ?? 0) ^ (EXP[(LOG[byte] ?? 0) + shift] ?? 0);
  }
}
