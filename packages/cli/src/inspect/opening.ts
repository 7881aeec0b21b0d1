import { DiskError, type DiskErrorCode } from '@diskstack/core';
import { type InspectCheck, passed, unknown, violated } from './verdict.ts';

/** Failures of the machine, or of whoever called, once the file is open: they say nothing of the image. */
const NOT_OF_THE_IMAGE: ReadonlySet<DiskErrorCode> = new Set(['ERR_IO', 'ERR_ABORTED', 'ERR_UNKNOWN_FORMAT']);

/** The error where the image is at fault; any other is thrown again. */
export function faultOfImage(error: unknown): DiskError {
  if (error instanceof DiskError && !NOT_OF_THE_IMAGE.has(error.code)) return error;
  throw error;
}

/** Whether the image can be opened: it needs nothing that is not known, and does not contradict itself. */
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

/** The names of those checks, for an image that they cannot be made of. */
export const OPENING_CHECKS = ['features', 'well-formed'] as const;

export const NOT_OPEN = 'the image cannot be opened';
