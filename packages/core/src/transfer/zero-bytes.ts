import { platformBuffer } from './platform-buffer.ts';

/** Bytes of the widest word that is fast to compare on every platform. */
const WORD = Uint32Array.BYTES_PER_ELEMENT;
/** Words that are tested together, with one branch for all of them. */
const STRIDE = 8;

const ZEROES_BYTES = 64 * 1024;
/** Zeroes to compare with, if the platform can compare memory. */
const zeroes = /* @__PURE__ */ platformBuffer?.alloc(ZEROES_BYTES);

/** Whether every byte is 0. */
export function isZero(bytes: Uint8Array): boolean {
  return firstNonZero(bytes) === -1;
}

/** Index of the first byte that is not 0, from `from` up to but not including `end`; -1 if there is none. */
export function firstNonZero(bytes: Uint8Array, from = 0, end: number = bytes.length): number {
  if (from < end && bytes[from] !== 0) return from; // for most data the first byte is enough
  let start = from;
  if (zeroes !== undefined) {
    for (; start < end; start += ZEROES_BYTES) {
      const stop = Math.min(end, start + ZEROES_BYTES);
      if (zeroes.compare(bytes, start, stop, 0, stop - start) !== 0) break;
    }
  }
  return start < end ? firstNonZeroByWords(bytes, start, end) : -1;
}

/** Tests whole words between the first and the last aligned byte, and single bytes before and after. */
function firstNonZeroByWords(bytes: Uint8Array, from: number, end: number): number {
  const aligned = Math.min(end, from + ((WORD - ((bytes.byteOffset + from) % WORD)) % WORD));
  for (let index = from; index < aligned; index++) {
    if (bytes[index] !== 0) return index;
  }
  const skipped = end - aligned < WORD * STRIDE ? aligned : aligned + zeroWords(bytes, aligned, end) * WORD;
  for (let index = skipped; index < end; index++) {
    if (bytes[index] !== 0) return index;
  }
  return -1;
}

/** Number of zero words from the aligned byte `from` on. May be too low by less than one stride. */
function zeroWords(bytes: Uint8Array, from: number, to: number): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + from, Math.floor((to - from) / WORD));
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
