/**
 * Bytes as 32-bit words, for exclusive-or in bulk. The byte order does not matter for that. The words are signed, because
 * signed words stay small integers, with which JavaScript engines calculate many times faster.
 */

/** A view of the bytes as words; a copy if `byteOffset` is not a multiple of 4. The length must be a multiple of 4. */
export function words(bytes: Uint8Array): Int32Array {
  return bytes.byteOffset % 4 === 0
    ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Int32Array(bytes.slice().buffer);
}

/** `into[i] ^= by[i]`, over whole words. */
export function xorInto(into: Int32Array, by: Int32Array): void {
  const { length } = into;
  for (let index = 0; index < length; index++) into[index] = (into[index] as number) ^ (by[index] as number);
}

/** `into[i] = one[i] ^ other[i]`, over whole words. */
export function xorOf(into: Int32Array, one: Int32Array, other: Int32Array): void {
  const { length } = into;
  for (let index = 0; index < length; index++)
    into[index] = (one[index] as number) ^ (other[index] as number);
}

/** A view of words as bytes. */
export function bytesOf(array: Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
