import { DiskError } from '../errors/disk-error.ts';

/**
 * The `DiskError` that a piece of work ends with, thrown synchronously or by its promise. Anything else, success included, is
 * thrown as an error that says so.
 */
export async function diskErrorOf(work: () => unknown): Promise<DiskError> {
  let value: unknown;
  try {
    value = await work();
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw new Error(`a DiskError was expected and something else came: ${String(error)}`, { cause: error });
  }
  const answer = value instanceof Uint8Array ? `${value.length} bytes` : String(value);
  throw new Error(`a DiskError was expected and the work succeeded, with ${answer}`);
}
