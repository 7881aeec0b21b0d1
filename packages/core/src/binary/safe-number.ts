import { DiskError } from '../errors/disk-error.ts';

const TWO_32 = 2 ** 32;

/** Two 32-bit halves as one number, or `undefined` past 2^53 − 1. The only place where 64 bits become a number. */
export function joinHalves(hi: number, lo: number): number | undefined {
  const value = hi * TWO_32 + lo;
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** A whole number of bytes, 0 or more and safe; `ERR_ARGUMENT` by name for anything else. */
export function checkBytes(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new DiskError('ERR_ARGUMENT', `${what} has to be a whole number from 0 to 2^53 - 1, not ${value}`);
  }
}

/** `value` rounded up to a multiple of `unit`; safe beyond 32 bits. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
