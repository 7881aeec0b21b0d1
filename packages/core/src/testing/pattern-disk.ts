import { checkBytes } from '../binary/safe-number.ts';
import type { Able } from '../contracts/abilities.ts';
import { defineDisk } from '../disks/define-disk.ts';
import { DiskError } from '../errors/disk-error.ts';
import { hex } from '../errors/text.ts';

/** Size of a pattern word in bytes. */
const WORD = 8;
/** The offset is in the lower 53 bits of a word, the salt in the upper 11 bits. */
const MAX_SALT = 2 ** 11 - 1;
const SALT_IN_HIGH_HALF = 2 ** 21;

/**
 * Returns `length` bytes that show where they belong: every 8 bytes contain their own offset, big-endian, with `salt` (0 to 2047)
 * in the top 11 bits. Patterns with different salts differ in every word, so that a test can tell the disks of a chain apart.
 */
export function pattern(length: number, salt = 0): Uint8Array<ArrayBuffer> {
  checkSalt(salt);
  const bytes = new Uint8Array(length);
  fillPattern(0, bytes, salt);
  return bytes;
}

/**
 * A read-only storage of `length` bytes with the content of `pattern`. The content is computed when it is read, so terabytes
 * take no memory.
 */
export function patternDisk(length: number, salt = 0): Able<'readInto'> {
  checkBytes(length, 'length');
  checkSalt(salt);
  return defineDisk({
    size: () => length,
    readInto(offset, into) {
      fillPattern(offset, into, salt);
      return undefined;
    },
  });
}

/**
 * Describes the first byte in which `actual` and `expected` differ; `undefined` if they are equal. `offset` is the disk offset of
 * their first byte. For bytes of a `pattern`, the description names the offset that they come from.
 */
export function firstDifference(actual: Uint8Array, expected: Uint8Array, offset = 0): string | undefined {
  const common = Math.min(actual.length, expected.length);
  for (let index = 0; index < common; index++) {
    if (actual[index] === expected[index]) continue;
    return (
      `byte ${hex(offset + index)} is ${hex(actual[index] ?? 0)}, not ${hex(expected[index] ?? 0)}: ` +
      `${explainPattern(actual, index)}, expected ${explainPattern(expected, index)}`
    );
  }
  if (actual.length === expected.length) return undefined;
  return `${actual.length} bytes from byte ${hex(offset)} on, expected ${expected.length}`;
}

/** Describes the bytes around `index`: the pattern of some offset, zeroes, or neither. */
export function explainPattern(bytes: Uint8Array, index: number): string {
  for (let start = index; start > index - WORD && start >= 0; start--) {
    const word = decodeWord(bytes, start);
    if (word === undefined) continue;
    const follows = decodeWord(bytes, start + WORD);
    const leads = decodeWord(bytes, start - WORD);
    const fits =
      (follows?.salt === word.salt && follows.offset === word.offset + WORD) ||
      (leads?.salt === word.salt && leads.offset === word.offset - WORD);
    if (fits) {
      const salted = word.salt === 0 ? '' : ` with salt ${word.salt}`;
      return `the pattern of byte ${hex(word.offset + index - start)}${salted}`;
    }
  }
  const near = bytes.subarray(index, index + WORD);
  if (near.every((byte) => byte === 0)) return 'zeroes';
  return `no pattern (${Array.from(near, (byte) => byte.toString(16).padStart(2, '0')).join(' ')})`;
}

function decodeWord(bytes: Uint8Array, start: number): { offset: number; salt: number } | undefined {
  if (start < 0 || start + WORD > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, WORD);
  const high = view.getUint32(0);
  const offset = (high % SALT_IN_HIGH_HALF) * 2 ** 32 + view.getUint32(4);
  return offset % WORD === 0 ? { offset, salt: Math.floor(high / SALT_IN_HIGH_HALF) } : undefined;
}

function fillPattern(offset: number, into: Uint8Array, salt: number): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const word = new Uint8Array(WORD);
  const wordView = new DataView(word.buffer);
  let done = 0;
  while (done < into.length) {
    const inWord = (offset + done) % WORD;
    const start = offset + done - inWord;
    if (inWord === 0 && into.length - done >= WORD) {
      encodeWord(view, done, start, salt);
      done += WORD;
    } else {
      encodeWord(wordView, 0, start, salt);
      const part = word.subarray(inWord, Math.min(WORD, inWord + into.length - done));
      into.set(part, done);
      done += part.length;
    }
  }
}

function encodeWord(view: DataView, at: number, offset: number, salt: number): void {
  view.setUint32(at, salt * SALT_IN_HIGH_HALF + Math.floor(offset / 2 ** 32));
  view.setUint32(at + 4, offset % 2 ** 32);
}

function checkSalt(salt: number): void {
  if (Number.isInteger(salt) && salt >= 0 && salt <= MAX_SALT) return;
  throw new DiskError('ERR_ARGUMENT', `a salt is a whole number from 0 to ${MAX_SALT}, not ${salt}`);
}
