import { DiskError, type DiskErrorCode } from '@diskstack/core';
import { type InspectCheck, passed, unknown, violated } from './verdict.ts';

/** Errors of the machine or of the caller. They are no evidence against the image. */
const NOT_OF_THE_IMAGE: ReadonlySet<DiskErrorCode> = new Set(['ERR_IO', 'ERR_ABORTED', 'ERR_UNKNOWN_FORMAT']);

/** The error, if the image is at fault. Any other error is thrown again. */
export function faultOfImage(error: unknown): DiskError {
  if (error instanceof DiskError && !NOT_OF_THE_IMAGE.has(error.code)) return error;
  throw error;
}

/** Checks that the image can be opened: it needs no unknown feature, and its metadata is consistent. */
export function openingChecks(fault: DiskError | undefined): readonly InspectCheck[] {
  const why = fault && `${fault.code}: ${fault.message}`;
  if (why === undefined)
    return [
      passed('features', 'the image needs nothing of its reader that is not known'),
      passed('well-formed', 'the image can be opened'),
    ];
  if (fault?.code === 'ERR_UNSUPPORTED') return [violated('features', why), unknown('well-formed', NOT_OPEN)];
  return [unknown('features', NOT_OPEN), violated('well-formed', why)];
}

/** The names of these checks, for images that cannot be checked. */
export const OPENING_CHECKS = ['features', 'well-formed'] as const;

export const NOT_OPEN = 'the image cannot be opened';
