import type { LayerInfo } from '@diskstack/core';
import { humanBytes } from '../values/byte-size.ts';
import { type InspectCheck, passed, unknown, violated } from './verdict.ts';

/** How large an image may claim to be. */
export interface ClaimLimits {
  /** Guest bytes. */
  readonly maxVirtualSize: number;
  /** Guest bytes for each byte of the file. Default: no limit, because the file of an empty disk is small. */
  readonly maxRatio: number | undefined;
}

/** Deflate makes at most 1032 bytes of one, so honest images stay below this. */
const DEFAULT_MAX_COMPRESSION = 1000;

/** Checks the sizes that the image claims. */
export function claimChecks(
  { virtualSize }: LayerInfo,
  fileSize: number,
  compressedBytes: number | undefined,
  { maxVirtualSize, maxRatio }: ClaimLimits,
): readonly InspectCheck[] {
  const size = `${humanBytes(virtualSize)} (${virtualSize} bytes)`;
  const ratio = ratioOf(virtualSize, fileSize);
  const claim = `${virtualSize} guest bytes in a file of ${fileSize}, ${text(ratio)} to 1`;
  return [
    virtualSize > maxVirtualSize
      ? violated('virtual-size', `${size}, ${maxVirtualSize} are allowed`)
      : passed('virtual-size', size),
    maxRatio !== undefined && ratio > maxRatio
      ? violated('expansion', `${claim}; ${maxRatio} is allowed`)
      : passed('expansion', maxRatio === undefined ? `${claim}; no limit is set` : claim),
    compression(compressedBytes, fileSize, maxRatio ?? DEFAULT_MAX_COMPRESSION),
  ];
}

/** The names of these checks, for images that cannot be checked. */
export const CLAIM_CHECKS = ['virtual-size', 'expansion', 'compression'] as const;

function compression(bytes: number | undefined, fileSize: number, limit: number): InspectCheck {
  if (bytes === undefined) return unknown('compression', 'the compressed clusters cannot be counted');
  if (bytes === 0) return passed('compression', 'nothing is compressed');
  const ratio = ratioOf(bytes, fileSize);
  const claim = `${bytes} guest bytes are compressed, in a file of ${fileSize}, ${text(ratio)} to 1`;
  return ratio > limit
    ? violated('compression', `${claim}; ${limit} is allowed`)
    : passed('compression', claim);
}

function ratioOf(bytes: number, fileSize: number): number {
  return bytes === 0 ? 0 : bytes / fileSize;
}

function text(ratio: number): string {
  return String(Number(ratio.toPrecision(3)));
}
