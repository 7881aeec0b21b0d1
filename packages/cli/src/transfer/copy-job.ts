import { DiskError, quote, type WritingOptions } from '@diskstack/core';
import { SECTOR } from '@diskstack/core/format';
import type { CreationOptions } from '../image-options/creation-options.ts';
import type { OpenFlags } from '../options/open-options.ts';
import type { Session } from '../session/session.ts';
import { parseRate, parseSize } from '../values/byte-size.ts';

/** Options of a command that copies disks. */
export interface CopyFlags extends OpenFlags {
  readonly outputFormat: string;
  readonly option?: readonly string[];
  readonly compress?: boolean;
  readonly backing?: string;
  readonly backingFormat?: string;
  readonly progress?: boolean;
  readonly sync?: boolean;
  readonly quiet?: boolean;
  /** `-n` sets it to `false`: the output exists already. */
  readonly create?: boolean;
  readonly targetIsZero?: boolean;
  readonly sparseSize?: string;
  readonly rateLimit?: string;
  readonly copyRange?: boolean;
  readonly parallel?: string;
  readonly bitmaps?: boolean;
  readonly skipBrokenBitmaps?: boolean;
  readonly salvage?: boolean;
}

/** One run of a command that copies. */
export interface CopyJob {
  readonly session: Session;
  readonly flags: CopyFlags;
  /** Path of the output. */
  readonly output: string;
  readonly options: CreationOptions;
  readonly writing: WritingOptions;
  readonly signal: AbortSignal;
}

/** Largest `-S`, as in qemu-img. */
const LARGEST_SPARSE_SIZE = 16 * 1024 * 1024;
/** Most coroutines that qemu-img allows. */
const MOST_PARALLEL = 16;

/** `-S`, `-r`, `-m` and `--salvage`. */
export function parseWriting({ sparseSize, rateLimit, parallel, salvage }: CopyFlags): WritingOptions {
  if (parallel !== undefined && !(/^[0-9]+$/.test(parallel) && inRange(Number(parallel), 1, MOST_PARALLEL)))
    throw new DiskError('ERR_ARGUMENT', `-m is a number from 1 to ${MOST_PARALLEL}, not ${quote(parallel)}`);
  return {
    minZeroes: sparseSize === undefined ? undefined : parseSparseSize(sparseSize),
    bytesPerSecond: parseRate(rateLimit),
    ...(salvage ? { clone: false } : {}), // what cannot be read has to be found
  };
}

function parseSparseSize(text: string): number {
  const size = parseSize(text, '--sparse-size');
  if (size % SECTOR === 0 && size <= LARGEST_SPARSE_SIZE) return size;
  throw new DiskError(
    'ERR_ARGUMENT',
    `--sparse-size ${quote(text)} is not a multiple of ${SECTOR} up to ${LARGEST_SPARSE_SIZE}; 0 writes all zeroes`,
  );
}

function inRange(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}
