import { DiskError } from '../errors/disk-error.ts';
import type { Limits } from './services.ts';

/**
 * `ERR_LIMIT`, with the limit as its hint.
 *
 * @param limits holds the limit that was exceeded
 * @param found what exceeds it, with its number: `an L1 table of 4096 bytes`
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
