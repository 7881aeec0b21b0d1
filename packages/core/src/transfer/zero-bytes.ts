/** Bytes in the widest word that compares fast everywhere. */
const WORD = Uint32Array.BYTES_PER_ELEMENT;
/** Words that are looked at together, with one branch for all of them. */
const STRIDE = 8;

/** Whether every byte is 0. */
export function isZero(bytes: Uint8Array): boolean {
  return firstNonZero(bytes) === -1;
}

/** Index of the first byte that is not 0, or -1. Goes by words between the first and the last aligned byte. */
export function firstNonZero(bytes: Uint8Array): number {
  const length = bytes.length;
  const head = Math.min(length, (WORD - (bytes.byteOffset % WORD)) % WORD);
  for (let index = 0; index < head; index++) {
    if (bytes[index] !== 0) return index;
  }
  const skipped = length - head < WORD ? head : head + zeroWords(bytes, head) * WORD;
  for (let index = skipped; index < length; index++) {
    if (bytes[index] !== 0) return index;
  }
  return -1;
}

/** Words of zeroes from `head` on, where words are aligned: all of them, but for less than a stride. */
function zeroWords(bytes: Uint8Array, head: number): number {
  const words = new Uint32Array(
    bytes.buffer,
    bytes.byteOffset + head,
    Math.floor((bytes.length - head) / WORD),
  );
  const end = words.length - (words.length % STRIDE);
  for (let index = 0; index < end; index += STRIDE) {
    const any =
      at(words, index) |
      at(words, index + 1) |
      at(words, index + 2) |
      at(words, index + 3) |
      at(words, index + 4) |
      at(words, index + 5) |
      at(words, index + 6) |
      at(words, index + 7);
    if (any !== 0) return index;
  }
  return end;
}

function at(words: Uint32Array, index: number): number {
  return words[index] as number;
}
