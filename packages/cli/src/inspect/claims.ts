import type { LayerInfo } from '@diskstack/core';
import { humanBytes } from '../values/byte-size.ts';
import { type InspectCheck, passed, unknown, violated } from './verdict.ts';

/** How large an image may claim to be. */
export interface ClaimLimits {
  /** Guest bytes. */
  readonly maxVirtualSize: number;
  /** Guest bytes for each byte of the file; no limit when absent, as a disk that is mostly empty is small. */
  readonly maxRatio: number | undefined;
}

/** Compressed bytes are there, so they have a natural bound: deflate gives at most 1032 bytes for one. */
const DEFAULT_MAX_COMPRESSION = 1000;

/** What it would cost to believe the image. */
export function claimChecks(
  { virtualSize }: LayerInfo,
  fileSize: number,
  compressedBytes: number | undefined,
  { maxVirtualSize, maxRatio }: ClaimLimits,
): readonly InspectCheck[] {
  const size = `${humanBytes(virtualSize)} (${virtualSize} bytes)`;
  const ratio = ratioOf(virtualSize, fileSize);
  const told = `${virtualSize} guest bytes in a file of ${fileSize}, ${text(ratio)} to 1`;
  return [
    virtualSize > maxVirtualSize
      ? violated('virtual-size', `${size}, ${maxVirtualSize} are allowed`)
      : passed('virtual-size', size),
    maxRatio !== undefined && ratio > maxRatio
      ? violated('expansion', `${told}; ${maxRatio} is allowed`)
      : passed('expansion', maxRatio === undefined ? `${told}; no limit is set` : told),
    compression(compressedBytes, fileSize, maxRatio ?? DEFAULT_MAX_COMPRESSION),
  ];
}

/** The names of those checks, for an image that they cannot be made of. */
export const CLAIM_CHECKS = ['virtual-size', 'expansion', 'compression'] as const;

function compression(bytes: number | undefined, fileSize: number, limit: number): InspectCheck {
  if (bytes === undefined) return unknown('compression', 'the compressed clusters cannot be counted');
  if (bytes === 0) return passed('compression', 'nothing is compressed');
  const ratio = ratioOf(bytes, fileSize);
  const told = `${bytes} guest bytes are compressed, in a file of ${fileSize}, ${text(ratio)} to 1`;
  return ratio > limit
    ? violated('compression', `${told}; ${limit} is allowed`)
    : passed('compression', told);
}

function ratioOf(bytes: number, fileSize: number): number {
  return bytes === 0 ? 0 : bytes / fileSize;
}

function text(ratio: number): string {
  return String(Number(ratio.toPrecision(3)));
}
