import { DiskError } from '@diskstack/core';

/** The result of `open`, or the reason of its `DiskError`: one of several copies may be missing. Aborts and limits throw. */
export async function attempt<T>(open: () => Promise<T>): Promise<T | string> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof DiskError && error.code !== 'ERR_ABORTED' && error.code !== 'ERR_LIMIT')
      return error.reason;
    throw error;
  }
}

/** The error for a volume of which too many parts are missing: `what`, then the reasons without repetitions. */
export function missing(what: string, reasons: readonly string[]): DiskError {
  const why = [...new Set(reasons)].join('; ');
  return new DiskError('ERR_NOT_FOUND', why === '' ? what : `${what}: ${why}`);
}
