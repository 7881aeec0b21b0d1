import type { Rank } from '../contracts/disk-format.ts';
import type { ProbeWindow } from '../contracts/probe-window.ts';

/** Whether `window` has these bytes at offset `at`. */
export function startsWithAt(window: Uint8Array, at: number, bytes: readonly number[]): boolean {
  return window.length >= at + bytes.length && bytes.every((byte, index) => window[at + index] === byte);
}

/** A probe for a magic number `at` bytes from the start of the disk. */
export function magicAt(at: number, ...bytes: number[]): (window: ProbeWindow) => Rank | undefined {
  return ({ head }) => (startsWithAt(head, at, bytes) ? 'magic' : undefined);
}

/** A probe for a magic number in a footer, `fromEnd` bytes before the end of the disk. */
export function footerAt(fromEnd: number, ...bytes: number[]): (window: ProbeWindow) => Rank | undefined {
  return ({ tail }) =>
    tail.length >= fromEnd && startsWithAt(tail, tail.length - fromEnd, bytes) ? 'footer' : undefined;
}
