import { quote } from '@diskstack/core';
import { decodeText } from '@diskstack/core/format';

/** qcow2 spec, "incompatible_features". */
export const INCOMPATIBLE = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalDataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;

/** qcow2 spec, "compatible_features". */
export const COMPATIBLE = { lazyRefcounts: 1n << 0n } as const;

/** qcow2 spec, "autoclear_features". */
export const AUTOCLEAR = { bitmaps: 1n << 0n, rawExternalData: 1n << 1n } as const;

/** qcow2 spec, "Feature name table": the names that qemu gives them; type, bit, name. */
const FEATURE_NAMES = [
  [0, 0, 'dirty bit'],
  [0, 1, 'corrupt bit'],
  [0, 2, 'external data file'],
  [0, 3, 'compression type'],
  [0, 4, 'extended L2 entries'],
  [1, 0, 'lazy refcounts'],
  [2, 0, 'bitmaps'],
  [2, 1, 'raw external data'],
] as const;

const KNOWN_INCOMPATIBLE = Object.values(INCOMPATIBLE).reduce((all, bit) => all | bit, 0n);

/** qcow2 spec, "Feature name table": one entry. */
const ENTRY_BYTES = 48;
const NAME_AT = 2;
const INCOMPATIBLE_FEATURE = 0;

/** As in qemu: in smaller clusters the feature name table would leave no room for a backing file name. */
export const FEATURE_NAMES_ABOVE = 4096;

/** The data of the feature name table: all known features, whether the image has them or not. */
export function featureNameTable(): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(FEATURE_NAMES.length * ENTRY_BYTES);
  for (const [index, [type, bit, name]] of FEATURE_NAMES.entries()) {
    table.set([type, bit], index * ENTRY_BYTES);
    table.set(new TextEncoder().encode(name), index * ENTRY_BYTES + NAME_AT);
  }
  return table;
}

/** The unknown incompatible features that are set: each by its bit, and its name in the feature name table. */
export function unknownIncompatible(features: bigint, nameTable: Uint8Array | undefined): readonly string[] {
  const unknown = features & ~KNOWN_INCOMPATIBLE;
  if (unknown === 0n) return [];
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if ((unknown & (1n << BigInt(bit))) === 0n) continue;
    const name = incompatibleName(nameTable, bit);
    names.push(name === undefined ? `bit ${bit}` : `bit ${bit} (${quote(name)})`);
  }
  return names;
}

function incompatibleName(table: Uint8Array | undefined, bit: number): string | undefined {
  if (table === undefined) return undefined;
  for (let at = 0; at + ENTRY_BYTES <= table.length; at += ENTRY_BYTES) {
    if (table[at] !== INCOMPATIBLE_FEATURE || table[at + 1] !== bit) continue;
    const name = table.subarray(at + NAME_AT, at + ENTRY_BYTES);
    const end = name.indexOf(0);
    return decodeText(end < 0 ? name : name.subarray(0, end));
  }
  return undefined;
}
