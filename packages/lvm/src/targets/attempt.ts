import { DiskError } from '@diskstack/core';

/** What `open` gives, or why it cannot be had: of several copies one may be missing. */
export async function attempt<T>(open: () => Promise<T>): Promise<T | string> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof DiskError && error.code !== 'ERR_ABORTED' && error.code !== 'ERR_LIMIT')
      return error.reason;
    throw error;
  }
}

/** Too little is left. */
export function missing(what: string, reasons: readonly string[]): DiskError {
  const why = [...new Set(reasons)].join('; ');
  return new DiskError('ERR_NOT_FOUND', why === '' ? what : `${what}: ${why}`);
}
