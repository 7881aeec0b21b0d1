import { awaitAll } from '@diskstack/core/format';

/** Pieces of work that run at the same time. */
const AT_ONCE = 16;

/** Does the work for each item, some at a time. All work has ended when the promise settles, even after an error. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let first = 0; first < items.length; first += AT_ONCE) {
    await awaitAll(items.slice(first, first + AT_ONCE).map(work));
  }
}
