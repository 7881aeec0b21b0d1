import type { HashFunction } from '@diskstack/core/format';
import type { RandomSource } from '../random.ts';

/**
 * LUKS 1 on-disk format, 2.4 "Anti-forensic splitting": merges `stripes` stripes of `keyBytes` bytes to the key. Without any
 * one of them the key is lost.
 */
export function mergeStripes(
  material: Uint8Array,
  keyBytes: number,
  stripes: number,
  hash: HashFunction,
): Uint8Array {
  const merged = new Uint8Array(keyBytes);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const piece = material.subarray(stripe * keyBytes, (stripe + 1) * keyBytes);
    for (let index = 0; index < keyBytes; index++)
      merged[index] = (merged[index] as number) ^ (piece[index] as number);
    if (stripe < stripes - 1) diffuse(merged, hash);
  }
  return merged;
}

/** Splits a key: all stripes are random, except the last one, which is chosen so that they merge to the key. */
export function splitStripes(
  key: Uint8Array,
  stripes: number,
  hash: HashFunction,
  random: RandomSource,
): Uint8Array<ArrayBuffer> {
  const material = new Uint8Array(key.length * stripes);
  const last = material.length - key.length;
  material.set(random(last));
  // With a last stripe of zeroes, the result is the value that the last stripe must turn into the key.
  const sum = mergeStripes(material, key.length, stripes, hash);
  for (let index = 0; index < key.length; index++)
    material[last + index] = (sum[index] as number) ^ (key[index] as number);
  return material;
}

/** Replaces each part of digest size by the hash of its number and its content. */
function diffuse(block: Uint8Array, hash: HashFunction): void {
  for (let at = 0, number = 0; at < block.length; at += hash.bytes, number++) {
    const part = block.subarray(at, at + hash.bytes);
    const input = new Uint8Array(4 + part.length);
    new DataView(input.buffer).setUint32(0, number);
    input.set(part, 4);
    part.set(hash.digest(input).subarray(0, part.length));
  }
}
