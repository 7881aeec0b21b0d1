import { DiskError } from '../errors/disk-error.ts';
import type { Limits } from './services.ts';

/**
 * Makes an `ERR_LIMIT` error with the limit as its hint.
 *
 * @param limits contains the exceeded limit
 * @param found what exceeds the limit, with the number: `an L1 table of 4096 bytes`
 * @param offset byte offset of the field that has the number
 */
export function limitError<Name extends keyof Limits>(
  name: Name,
  limits: Pick<Limits, Name>,
  found: string,
  offset?: number,
): DiskError {
  const hint = { option: 'limits', name } as const;
  return new DiskError('ERR_LIMIT', `${found}; ${name} allows ${limits[name]}`, { offset, hint });
}
