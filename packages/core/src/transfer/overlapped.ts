/**
 * Works on pieces side by side: as many at a time as there are slots (buffers, say), each with a slot of its own, and
 * the results in the order of the pieces. Once it has ended, by whatever way, nothing uses a slot any more.
 */
export async function* overlapped<Piece, Slot, Result>(
  pieces: AsyncIterable<Piece>,
  slots: readonly Slot[],
  work: (piece: Piece, slot: Slot) => Promise<Result>,
): AsyncGenerator<Result> {
  const free = [...slots];
  const running: { readonly slot: Slot; readonly result: Promise<Result> }[] = [];
  const breathe = breather();
  const oldest = async (): Promise<Result | undefined> => {
    const job = running[0];
    const result = await job?.result;
    running.shift();
    if (job !== undefined) free.push(job.slot);
    return result;
  };
  try {
    for await (const piece of pieces) {
      await breathe();
      if (free.length === 0) yield (await oldest()) as Result;
      const slot = free.shift() as Slot;
      const result = work(piece, slot);
      result.catch(() => {}); // its turn to be awaited comes later
      running.push({ slot, result });
    }
    while (running.length > 0) yield (await oldest()) as Result;
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
  }
}

/** Longest time for which other work of the program is kept waiting, in milliseconds. */
const TURN = 30;

/**
 * Lets timers, signals and other input have their turn now and then. Reads that are answered from memory only ever
 * queue microtasks: a long transfer of such reads would keep an abort from being heard.
 */
export function breather(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN) return undefined;
    return new Promise((resolve) => {
      setTimeout(() => {
        since = performance.now();
        resolve();
      }, 0);
    });
  };
}
