import { DiskError } from '../errors/disk-error.ts';

/**
 * Runs `work` and returns the `DiskError` that it throws or rejects with. Any other outcome, including success, throws an error
 * that describes it.
 */
export async function diskErrorOf(work: () => unknown): Promise<DiskError> {
  let value: unknown;
  try {
    value = await work();
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw new Error(`expected a DiskError, but got: ${String(error)}`, { cause: error });
  }
  const answer = value instanceof Uint8Array ? `${value.length} bytes` : String(value);
  throw new Error(`expected a DiskError, but the work succeeded with ${answer}`);
}
