import { platformBuffer } from './platform-buffer.ts';

const WORD = Uint32Array.BYTES_PER_ELEMENT;

/** Bytes compared by one call. It does not say where a difference is; the loop over words looks for it in no more than that. */
const PART = 64 * 1024;

/** Index of the first byte that differs in two buffers of the same length, or -1. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a[0] !== b[0]) return 0; // for different data the first byte is often enough
  if (platformBuffer === undefined) return differenceByWords(a, b);
  for (let start = 0; start < a.length; start += PART) {
    const partOfA = a.subarray(start, start + PART);
    const partOfB = b.subarray(start, start + PART);
    if (platformBuffer.compare(partOfA, partOfB) !== 0) return start + differenceByWords(partOfA, partOfB);
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
