/** qcow2 spec, "Feature name table": one entry of 48 bytes. */
export function featureName(type: 0 | 1 | 2, bit: number, name: string): Uint8Array {
  const entry = new Uint8Array(48);
  entry[0] = type;
  entry[1] = bit;
  entry.set(new TextEncoder().encode(name), 2);
  return entry;
}
