import { breathe } from '../async/breathe.ts';

/**
 * Works on pieces concurrently. Each piece uses a slot of its own (a buffer, for example), so there are at most as many
 * pieces in flight as slots. Yields the results in the order of the pieces. When the generator ends for any reason, no slot
 * is in use any more.
 */
export async function* overlapped<Piece, Slot, Result>(
  pieces: AsyncIterable<Piece>,
  slots: readonly Slot[],
  work: (piece: Piece, slot: Slot) => Promise<Result>,
): AsyncGenerator<Result> {
  const free = [...slots]; // last in, first out: the bytes of that slot are still in the processor's cache
  const running: Job<Result>[] = [];
  const start = (piece: Piece): void => {
    const slot = free.pop() as Slot;
    const result = work(piece, slot);
    const job = { result, settled: false };
    const settle = (): void => {
      job.settled = true;
      free.push(slot);
    };
    result.then(settle, settle); // handles a rejection until the result is awaited below
    running.push(job);
  };
  try {
    for await (const piece of pieces) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      while (running[0] !== undefined && (running[0].settled || free.length === 0)) {
        yield await running[0].result;
        running.shift();
      }
      start(piece);
    }
    for (const { result } of running) yield await result;
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
  }
}

interface Job<Result> {
  readonly result: Promise<Result>;
  settled: boolean;
}
