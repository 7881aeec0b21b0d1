/** Waits for all promises, then throws the first error. A read that fails therefore has no part that still writes its buffer. */
export async function awaitAll(waits: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(waits)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

/** Returns a rejected promise, so that an error can be awaited together with other promises. */
export async function rejected(error: unknown): Promise<never> {
  throw error;
}
