import type { BlockCipher } from '@diskstack/core/format';
import { rotateLeft } from './rotate.ts';
import { BOXES } from './serpent-boxes.ts';
import { INVERSE_BOXES } from './serpent-inverse-boxes.ts';

/**
 * Serpent (R. Anderson, E. Biham and L. Knudsen, "Serpent: A Proposal for the Advanced Encryption Standard", 1998) in
 * its "bitslice" form, which needs no initial and final permutation.
 */

const BLOCK_BYTES = 16;
const ROUNDS = 32;
/** The only round without the linear transformation. */
const LAST_ROUND = ROUNDS - 1;
const KEY_WORDS = 8;
/** The fractional part of the golden ratio. */
const PHI = 0x9e3779b9;

/** Blocks that go through the rounds together: as many as fit into the level 1 cache of the processor. */
const CHUNK_BYTES = 4096;

/** Serpent with a key of 16, 24 or 32 bytes. */
export function serpent(key: Uint8Array): BlockCipher {
  const keys = roundKeys(key);
  return {
    blockBytes: BLOCK_BYTES,
    encrypt: (bytes) => eachChunk(bytes, (x) => encrypt(x, keys)),
    decrypt: (bytes) => eachChunk(bytes, (x) => decrypt(x, keys)),
  };
}

function encrypt(x: Int32Array, keys: Int32Array): void {
  addKey(x, keys, 0);
  for (let round = 0; round < LAST_ROUND; round++) {
    BOXES[round % 8]?.(x);
    transform(x, keys, round + 1);
  }
  BOXES[LAST_ROUND % 8]?.(x);
  addKey(x, keys, ROUNDS);
}

function decrypt(x: Int32Array, keys: Int32Array): void {
  addKey(x, keys, ROUNDS);
  INVERSE_BOXES[LAST_ROUND % 8]?.(x);
  for (let round = LAST_ROUND - 1; round >= 0; round--) {
    undoTransform(x, keys, round + 1);
    INVERSE_BOXES[round % 8]?.(x);
  }
  addKey(x, keys, 0);
}

/** Calls `change` with the little-endian words of each chunk, and returns the changed bytes in a new array. */
function eachChunk(bytes: Uint8Array, change: (words: Int32Array) => void): Uint8Array {
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const result = new Uint8Array(bytes.length);
  const into = new DataView(result.buffer);
  const words = new Int32Array(Math.min(CHUNK_BYTES, bytes.length) / 4);
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    const chunk = words.subarray(0, (bytes.length - start) / 4);
    for (let index = 0; index < chunk.length; index++) chunk[index] = from.getInt32(start + index * 4, true);
    change(chunk);
    for (let index = 0; index < chunk.length; index++) {
      into.setInt32(start + index * 4, chunk[index] as number, true);
    }
  }
  return result;
}

/** XORs the key of a round into each block. */
function addKey(x: Int32Array, keys: Int32Array, round: number): void {
  for (let at = 0; at < x.length; at++) x[at] = (x[at] as number) ^ (keys[round * 4 + (at % 4)] as number);
}

/** The linear transformation, and the XOR with the key of the next round. */
function transform(x: Int32Array, keys: Int32Array, round: number): void {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = keys.subarray(round * 4);
  for (let at = 0; at < x.length; at += 4) {
    const a = rotateLeft(x[at] as number, 13);
    const c = rotateLeft(x[at + 2] as number, 3);
    const b = rotateLeft((x[at + 1] as number) ^ a ^ c, 1);
    const d = rotateLeft((x[at + 3] as number) ^ c ^ (a << 3), 7);
    x[at] = rotateLeft(a ^ b ^ d, 5) ^ k0;
    x[at + 1] = b ^ k1;
    x[at + 2] = rotateLeft(c ^ d ^ (b << 7), 22) ^ k2;
    x[at + 3] = d ^ k3;
  }
}

function undoTransform(x: Int32Array, keys: Int32Array, round: number): void {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = keys.subarray(round * 4);
  for (let at = 0; at < x.length; at += 4) {
    const b = (x[at + 1] as number) ^ k1;
    const d = (x[at + 3] as number) ^ k3;
    const c = rotateLeft((x[at + 2] as number) ^ k2, 10) ^ d ^ (b << 7);
    const a = rotateLeft((x[at] as number) ^ k0, 27) ^ b ^ d;
    x[at] = rotateLeft(a, 19);
    x[at + 1] = rotateLeft(b, 31) ^ a ^ c;
    x[at + 2] = rotateLeft(c, 29);
    x[at + 3] = rotateLeft(d, 25) ^ c ^ (a << 3);
  }
}

/** The key schedule. A key shorter than 256 bits is padded with a one bit, and zeroes. */
function roundKeys(key: Uint8Array): Int32Array {
  const padded = new Uint8Array(KEY_WORDS * 4 + 1);
  padded.set(key);
  padded[key.length] = 1;
  const view = new DataView(padded.buffer);
  const words = new Int32Array(KEY_WORDS + (ROUNDS + 1) * 4);
  for (let index = 0; index < KEY_WORDS; index++) words[index] = view.getInt32(index * 4, true);
  const word = (index: number): number => words[index] as number;
  for (let index = KEY_WORDS; index < words.length; index++) {
    const sum = word(index - 8) ^ word(index - 5) ^ word(index - 3) ^ word(index - 1);
    words[index] = rotateLeft(sum ^ PHI ^ (index - KEY_WORDS), 11);
  }
  const keys = words.subarray(KEY_WORDS);
  for (let round = 0; round <= ROUNDS; round++) {
    // Boxes 3, 2, 1, 0, 7, 6 and so on.
    BOXES[(ROUNDS + 3 - round) % 8]?.(keys.subarray(round * 4, round * 4 + 4));
  }
  return keys;
}
