/** Waits for all of them, also when one fails: nothing writes into a buffer after its read has been refused. */
export async function awaitAll(waits: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(waits)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

/** A failure that waits for its turn among others. */
export async function rejected(error: unknown): Promise<never> {
  throw error;
}
