const WORD = Uint32Array.BYTES_PER_ELEMENT;

/**
 * Index of the first byte that differs in two buffers of the same length, or -1. Compares by words if both buffers are aligned.
 */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = a.length;
  let index = 0;
  if (a.byteOffset % WORD === 0 && b.byteOffset % WORD === 0) {
    const count = Math.floor(length / WORD);
    const wordsOfA = new Uint32Array(a.buffer, a.byteOffset, count);
    const wordsOfB = new Uint32Array(b.buffer, b.byteOffset, count);
    while (index < count && wordsOfA[index] === wordsOfB[index]) index++;
    index *= WORD;
  }
  while (index < length && a[index] === b[index]) index++;
  return index < length ? index : -1;
}
