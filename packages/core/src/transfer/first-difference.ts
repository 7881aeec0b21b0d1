const WORD = Uint32Array.BYTES_PER_ELEMENT;

/** `memcmp`, a part of Node's `Buffer`. */
type MemoryCompare = (a: Uint8Array, b: Uint8Array) => number;

/**
 * Compares memory if the platform can. That is several times as fast as a loop over words, but does not say where the
 * difference is. `Buffer` is a global of Node; browsers have nothing like it.
 */
const compareMemory = (globalThis as { readonly Buffer?: { readonly compare: MemoryCompare } }).Buffer
  ?.compare;

/** Bytes compared by one call: the loop over words looks for a difference in no more than that. */
const PART = 64 * 1024;

/** Index of the first byte that differs in two buffers of the same length, or -1. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a[0] !== b[0]) return 0; // for different data the first byte is often enough
  if (compareMemory === undefined) return differenceByWords(a, b);
  for (let start = 0; start < a.length; start += PART) {
    const partOfA = a.subarray(start, start + PART);
    const partOfB = b.subarray(start, start + PART);
    if (compareMemory(partOfA, partOfB) !== 0) return start + differenceByWords(partOfA, partOfB);
  }
  return -1;
}

/** Compares by words if both buffers are aligned. */
function differenceByWords(a: Uint8Array, b: Uint8Array): number {
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
