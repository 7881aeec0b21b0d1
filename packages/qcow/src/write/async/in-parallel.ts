/** Pieces of work that are under way at the same time. */
const AT_ONCE = 16;

/** Does the work for each item, some at a time. Nothing is under way any more when it ends, by whatever way. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let first = 0; first < items.length; first += AT_ONCE) {
    const results = await Promise.allSettled(items.slice(first, first + AT_ONCE).map(work));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}
