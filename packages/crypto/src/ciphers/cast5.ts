import type { BlockCipher } from '@diskstack/core/format';
import { S1, S2, S3, S4, S5, S6, S7, S8 } from './cast5-sboxes.ts';
import { type BlockTransform, eachBlock } from './each-block.ts';
import { rotateLeft } from './rotate.ts';

const BLOCK_BYTES = 8;
const KEY_BYTES = 16;
/** RFC 2144, 2.5: keys of up to 80 bits have fewer rounds. */
const SHORT_KEY_BYTES = 10;

/** A line of RFC 2144, 2.4, as byte indexes: x0 to xF are 0x00 to 0x0f, z0 to zF are 0x10 to 0x1f. */
type Line = readonly number[];

/** `z0z1z2z3 = x0x1x2x3 ^ S5[xD] ^ S6[xF] ^ S7[xC] ^ S8[xE] ^ S7[x8]` and so on. */
const Z_FROM_X: readonly Line[] = [
  [0x10, 0x00, 0x0d, 0x0f, 0x0c, 0x0e, 0x08],
  [0x14, 0x08, 0x10, 0x12, 0x11, 0x13, 0x0a],
  [0x18, 0x0c, 0x17, 0x16, 0x15, 0x14, 0x09],
  [0x1c, 0x04, 0x1a, 0x19, 0x1b, 0x18, 0x0b],
];
const X_FROM_Z: readonly Line[] = [
  [0x00, 0x18, 0x15, 0x17, 0x14, 0x16, 0x10],
  [0x04, 0x10, 0x00, 0x02, 0x01, 0x03, 0x12],
  [0x08, 0x14, 0x07, 0x06, 0x05, 0x04, 0x11],
  [0x0c, 0x1c, 0x0a, 0x09, 0x0b, 0x08, 0x13],
];
/** The substitution box for the last byte of each of these four lines. */
const MIX_BOXES = [S7, S8, S5, S6];

/** `K1 = S5[z8] ^ S6[z9] ^ S7[z7] ^ S8[z6] ^ S5[z2]` and so on: K1 to K16, and once more for K17 to K32. */
const KEYS_FROM_Z1: readonly Line[] = [
  [0x18, 0x19, 0x17, 0x16, 0x12],
  [0x1a, 0x1b, 0x15, 0x14, 0x16],
  [0x1c, 0x1d, 0x13, 0x12, 0x19],
  [0x1e, 0x1f, 0x11, 0x10, 0x1c],
];
const KEYS_FROM_X1: readonly Line[] = [
  [0x03, 0x02, 0x0c, 0x0d, 0x08],
  [0x01, 0x00, 0x0e, 0x0f, 0x0d],
  [0x07, 0x06, 0x08, 0x09, 0x03],
  [0x05, 0x04, 0x0a, 0x0b, 0x07],
];
const KEYS_FROM_Z2: readonly Line[] = [
  [0x13, 0x12, 0x1c, 0x1d, 0x19],
  [0x11, 0x10, 0x1e, 0x1f, 0x1c],
  [0x17, 0x16, 0x18, 0x19, 0x12],
  [0x15, 0x14, 0x1a, 0x1b, 0x16],
];
const KEYS_FROM_X2: readonly Line[] = [
  [0x08, 0x09, 0x07, 0x06, 0x03],
  [0x0a, 0x0b, 0x05, 0x04, 0x07],
  [0x0c, 0x0d, 0x03, 0x02, 0x08],
  [0x0e, 0x0f, 0x01, 0x00, 0x0d],
];
const KEY_BOXES = [S5, S6, S7, S8];

const STEPS = [
  { mix: Z_FROM_X, keys: KEYS_FROM_Z1 },
  { mix: X_FROM_Z, keys: KEYS_FROM_X1 },
  { mix: Z_FROM_X, keys: KEYS_FROM_Z2 },
  { mix: X_FROM_Z, keys: KEYS_FROM_X2 },
] as const;

/** CAST-128 (RFC 2144), which LUKS calls `cast5`, with a key of 5 to 16 bytes. */
export function cast5(key: Uint8Array): BlockCipher {
  const subkeys = expand(key);
  const masks = subkeys.subarray(0, 16);
  const rotations = subkeys.subarray(16).map((subkey) => subkey & 31);
  const rounds = key.length <= SHORT_KEY_BYTES ? 12 : 16;
  /** Decryption is encryption with the rounds in reverse order. */
  const through =
    (first: number, step: number): BlockTransform =>
    (from, into, at) => {
      let left = from.getInt32(at);
      let right = from.getInt32(at + 4);
      for (let count = 0, round = first; count < rounds; count++, round += step) {
        const mixed = left ^ mix(round, right, masks[round] as number, rotations[round] as number);
        left = right;
        right = mixed;
      }
      into.setInt32(at, right);
      into.setInt32(at + 4, left);
    };
  return eachBlock(BLOCK_BYTES, through(0, 1), through(rounds - 1, -1));
}

/** RFC 2144, 2.2: the functions of types 1, 2 and 3, which alternate from round to round. */
function mix(round: number, data: number, mask: number, rotation: number): number {
  const type = round % 3;
  if (type === 0) {
    const i = rotateLeft(mask + data, rotation);
    return (((box(S1, i >>> 24) ^ box(S2, i >>> 16)) - box(S3, i >>> 8)) | 0) + box(S4, i);
  }
  if (type === 1) {
    const i = rotateLeft(mask ^ data, rotation);
    return ((box(S1, i >>> 24) - box(S2, i >>> 16) + box(S3, i >>> 8)) | 0) ^ box(S4, i);
  }
  const i = rotateLeft(mask - data, rotation);
  return ((box(S1, i >>> 24) + box(S2, i >>> 16)) ^ box(S3, i >>> 8)) - box(S4, i);
}

/** The entry of a substitution box for the lowest byte of `index`. */
function box(table: Int32Array, index: number): number {
  return table[index & 0xff] as number;
}

/** RFC 2144, 2.4: the subkeys K1 to K32. */
function expand(key: Uint8Array): Int32Array {
  const bytes = new Uint8Array(2 * KEY_BYTES);
  bytes.set(key);
  const view = new DataView(bytes.buffer);
  const boxed = (table: Int32Array | undefined, place: number | undefined): number =>
    table?.[bytes[place ?? 0] ?? 0] ?? 0;
  const subkeys: number[] = [];
  for (const { mix: lines, keys } of [...STEPS, ...STEPS]) {
    for (const [index, [target = 0, source = 0, d, f, c, e, last]] of lines.entries()) {
      const four = boxed(S5, d) ^ boxed(S6, f) ^ boxed(S7, c) ^ boxed(S8, e);
      view.setInt32(target, view.getInt32(source) ^ four ^ boxed(MIX_BOXES[index], last));
    }
    for (const [index, [a, b, c, d, last]] of keys.entries()) {
      subkeys.push(boxed(S5, a) ^ boxed(S6, b) ^ boxed(S7, c) ^ boxed(S8, d) ^ boxed(KEY_BOXES[index], last));
    }
  }
  return Int32Array.from(subkeys);
}
