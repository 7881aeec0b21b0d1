import { breathe } from '../async/breathe.ts';

/**
 * Works on pieces side by side: as many at a time as there are slots (buffers, say), each with a slot of its own, and
 * the results in the order of the pieces. Once it has ended, by whatever way, nothing uses a slot any more.
 */
export async function* overlapped<Piece, Slot, Result>(
  pieces: AsyncIterable<Piece>,
  slots: readonly Slot[],
  work: (piece: Piece, slot: Slot) => Promise<Result>,
): AsyncGenerator<Result> {
  const free = [...slots]; // the last one in is the next one out: its bytes are still in the processor's cache
  const running: Job<Result>[] = [];
  const start = (piece: Piece): void => {
    const slot = free.pop() as Slot;
    const result = work(piece, slot);
    const job = { result, settled: false };
    const settle = (): void => {
      job.settled = true;
      free.push(slot);
    };
    result.then(settle, settle); // its turn to be awaited comes later
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
