/** Bytes as 32-bit words, for exclusive-or in bulk. The order of bytes in a word does not matter for that. */

/** The words of the bytes in place, or of a copy where they do not stand at a multiple of 4. */
export function words(bytes: Uint8Array): Uint32Array {
  return bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Uint32Array(bytes.slice().buffer);
}

/** `into[i] ^= by[i]`, over whole words. */
export function xorInto(into: Uint32Array, by: Uint32Array): void {
  for (let index = 0; index < into.length; index++)
    into[index] = (into[index] as number) ^ (by[index] as number);
}

/** The bytes of words. */
export function bytesOf(array: Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
