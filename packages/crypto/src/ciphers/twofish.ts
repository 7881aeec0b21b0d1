import type { BlockCipher } from '@diskstack/core/format';
import { eachBlock } from './each-block.ts';
import { rotateLeft } from './rotate.ts';

/**
 * Twofish (B. Schneier and others, "Twofish: A 128-Bit Block Cipher", 1998). Section numbers and names below are those of
 * the paper.
 */

const BLOCK_BYTES = 16;
const ROUNDS = 16;
/** 4.3: the first eight subkeys whiten the input and the output; the subkeys of the rounds follow. */
const ROUND_KEYS = 8;

/** 4.3.5: t0 to t3 of the permutations q0 and q1, four bits to four bits. */
const Q0 = permutation('817d6f320b59eca4', 'ecb81235f4a6709d', 'ba5e6d90c8f32471', 'd7f4126e9b3085ca');
const Q1 = permutation('28bdf76e31940ac5', '1e2b4c376da5f908', '4c75169a0ed82b3f', 'b951c3de647f208a');

/** 4.2: v(x) = x^8 + x^6 + x^5 + x^3 + 1, and the matrix over that field. */
const MDS_POLYNOMIAL = 0x169;
const MDS = [
  [0x01, 0xef, 0x5b, 0x5b],
  [0x5b, 0xef, 0xef, 0x01],
  [0xef, 0x5b, 0x01, 0xef],
  [0xef, 0x01, 0xef, 0x5b],
] as const;

/** 4.3: w(x) = x^8 + x^6 + x^3 + x^2 + 1, and the matrix that maps eight bytes of the key to four bytes of S. */
const RS_POLYNOMIAL = 0x14d;
const RS = [
  [0x01, 0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e],
  [0xa4, 0x56, 0x82, 0xf3, 0x1e, 0xc6, 0x68, 0xe5],
  [0x02, 0xa1, 0xfc, 0xc1, 0x47, 0xae, 0x3d, 0x19],
  [0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e, 0x03],
] as const;

/** 4.3.2, the function h: the permutations for each byte of a word. Shorter keys start at a later stage. */
const STAGES = [
  [Q1, Q1, Q0, Q0, Q1],
  [Q0, Q1, Q1, Q0, Q0],
  [Q0, Q0, Q0, Q1, Q1],
  [Q1, Q0, Q1, Q1, Q0],
] as const;
const LANES = [0, 1, 2, 3] as const;
type Lane = (typeof LANES)[number];

/** Twofish with a key of 16, 24 or 32 bytes. */
export function twofish(key: Uint8Array): BlockCipher {
  const k = roundKeys(key);
  const [g0, g1, g2, g3] = keyedBoxes(key);
  /** 4.2, the function g. The second word is rotated by eight bits first; `gTurned` swaps the tables instead. */
  const g = (x: number): number =>
    (g0[x & 0xff] as number) ^
    (g1[(x >>> 8) & 0xff] as number) ^
    (g2[(x >>> 16) & 0xff] as number) ^
    (g3[x >>> 24] as number);
  const gTurned = (x: number): number =>
    (g1[x & 0xff] as number) ^
    (g2[(x >>> 8) & 0xff] as number) ^
    (g3[(x >>> 16) & 0xff] as number) ^
    (g0[x >>> 24] as number);
  const subkey = (index: number): number => k[index] as number;

  const encryptBlock = (from: DataView, into: DataView, at: number): void => {
    let a = from.getInt32(at, true) ^ subkey(0);
    let b = from.getInt32(at + 4, true) ^ subkey(1);
    let c = from.getInt32(at + 8, true) ^ subkey(2);
    let d = from.getInt32(at + 12, true) ^ subkey(3);
    for (let key = ROUND_KEYS; key < ROUND_KEYS + 2 * ROUNDS; key += 4) {
      let t0 = g(a);
      let t1 = gTurned(b);
      c = rotateLeft(c ^ (t0 + t1 + subkey(key)), 31);
      d = rotateLeft(d, 1) ^ (t0 + 2 * t1 + subkey(key + 1));
      t0 = g(c);
      t1 = gTurned(d);
      a = rotateLeft(a ^ (t0 + t1 + subkey(key + 2)), 31);
      b = rotateLeft(b, 1) ^ (t0 + 2 * t1 + subkey(key + 3));
    }
    into.setInt32(at, c ^ subkey(4), true);
    into.setInt32(at + 4, d ^ subkey(5), true);
    into.setInt32(at + 8, a ^ subkey(6), true);
    into.setInt32(at + 12, b ^ subkey(7), true);
  };

  const decryptBlock = (from: DataView, into: DataView, at: number): void => {
    let c = from.getInt32(at, true) ^ subkey(4);
    let d = from.getInt32(at + 4, true) ^ subkey(5);
    let a = from.getInt32(at + 8, true) ^ subkey(6);
    let b = from.getInt32(at + 12, true) ^ subkey(7);
    for (let key = ROUND_KEYS + 2 * ROUNDS - 4; key >= ROUND_KEYS; key -= 4) {
      let t0 = g(c);
      let t1 = gTurned(d);
      a = rotateLeft(a, 1) ^ (t0 + t1 + subkey(key + 2));
      b = rotateLeft(b ^ (t0 + 2 * t1 + subkey(key + 3)), 31);
      t0 = g(a);
      t1 = gTurned(b);
      c = rotateLeft(c, 1) ^ (t0 + t1 + subkey(key));
      d = rotateLeft(d ^ (t0 + 2 * t1 + subkey(key + 1)), 31);
    }
    into.setInt32(at, a ^ subkey(0), true);
    into.setInt32(at + 4, b ^ subkey(1), true);
    into.setInt32(at + 8, c ^ subkey(2), true);
    into.setInt32(at + 12, d ^ subkey(3), true);
  };

  return eachBlock(BLOCK_BYTES, encryptBlock, decryptBlock);
}

/** 4.3.4: A of each pair is made from the even words of the key, B from the odd ones. */
function roundKeys(key: Uint8Array): Int32Array {
  const even = key.filter((_, index) => index % 8 < 4);
  const odd = key.filter((_, index) => index % 8 >= 4);
  const keys = new Int32Array(ROUND_KEYS + 2 * ROUNDS);
  for (let index = 0; index < keys.length; index += 2) {
    const a = h(index, even);
    const b = rotateLeft(h(index + 1, odd), 8);
    keys[index] = a + b;
    keys[index + 1] = rotateLeft(a + 2 * b, 9);
  }
  return keys;
}

/** 4.3 and 4.3.3: the bytes S, four from each eight bytes of the key in reverse order, and from them the tables of g. */
function keyedBoxes(key: Uint8Array) {
  const s = new Uint8Array(key.length / 2);
  for (let group = 0; group < key.length / 8; group++) {
    const part = key.subarray(group * 8, group * 8 + 8);
    const four = RS.map((row) =>
      row.reduce<number>((sum, by, at) => sum ^ multiply(by, part[at] ?? 0, RS_POLYNOMIAL), 0),
    );
    s.set(four, s.length - 4 - group * 4);
  }
  const table = (lane: Lane) => Int32Array.from({ length: 256 }, (_, value) => hLane(lane, value, s));
  return [table(0), table(1), table(2), table(3)] as const;
}

/** 4.3.2: the function h for a word that has the same byte four times. */
function h(value: number, list: Uint8Array): number {
  return LANES.reduce<number>((sum, lane) => sum ^ hLane(lane, value, list), 0);
}

/** The contribution of one byte to h, as a word: h is the sum (XOR) of four. */
function hLane(lane: Lane, value: number, list: Uint8Array): number {
  const stages = STAGES[lane];
  let y = value;
  for (let last = list.length / 4 - 1; last >= 0; last--) {
    y = (stages[3 - last]?.[y] as number) ^ (list[last * 4 + lane] as number);
  }
  y = stages[4][y] as number;
  return MDS.reduce<number>((sum, row, at) => sum | (multiply(row[lane], y, MDS_POLYNOMIAL) << (at * 8)), 0);
}

/** 4.3.5: the table of a permutation of bytes, from its four tables t0 to t3 of half-bytes. */
function permutation(...tables: readonly [string, string, string, string]): Uint8Array {
  const [t0, t1, t2, t3] = tables;
  const mixed = (a: number, b: number): number => (a ^ ((b >>> 1) | (b << 3)) ^ (a << 3)) & 15;
  const entry = (table: string, index: number): number => Number.parseInt(table.charAt(index), 16);
  return Uint8Array.from({ length: 256 }, (_, x) => {
    const [a0, b0] = [x >>> 4, x & 15];
    const [a2, b2] = [entry(t0, a0 ^ b0), entry(t1, mixed(a0, b0))];
    const [a4, b4] = [entry(t2, a2 ^ b2), entry(t3, mixed(a2, b2))];
    return b4 * 16 + a4;
  });
}

/** The product of two bytes as polynomials over GF(2), modulo another. */
function multiply(left: number, right: number, modulus: number): number {
  let product = 0;
  for (let bits = right, power = left; bits > 0; bits >>>= 1) {
    if (bits & 1) product ^= power;
    power <<= 1;
    if (power & 0x100) power ^= modulus;
  }
  return product;
}
