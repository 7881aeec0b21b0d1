import { DiskError } from '../errors/disk-error.ts';

/** Settles with the promise, or with `ERR_ABORTED` when the signal fires. The work itself continues, for other callers. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void =>
      reject(new DiskError('ERR_ABORTED', 'aborted by the caller', { cause: signal.reason }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
