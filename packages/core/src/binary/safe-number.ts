import { DiskError } from '../errors/disk-error.ts';

const TWO_32 = 2 ** 32;

/** Joins two 32-bit halves to a number. Returns `undefined` past 2^53 − 1. All 64-bit values are converted to numbers here. */
export function joinHalves(hi: number, lo: number): number | undefined {
  const value = hi * TWO_32 + lo;
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** Throws `ERR_ARGUMENT` if `value` is not an integer from 0 to 2^53 − 1. `what` names it in the message. */
export function checkBytes(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new DiskError('ERR_ARGUMENT', `${what} has to be a whole number from 0 to 2^53 - 1, not ${value}`);
  }
}

/** Rounds `value` up to a multiple of `unit`. Also correct beyond 32 bits. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
