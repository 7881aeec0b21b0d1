import { throwIfAborted } from '../errors/disk-error.ts';

/** Longest wait of one timer: more milliseconds than a day do not fit into the 32 bits that timers have. */
const LONGEST_WAIT = 86_400_000;

/** Holds a transfer down to a number of bytes each second. */
export class RateLimit {
  readonly #bytesPerSecond: number;
  /** When the bytes that were taken so far are through, on the clock of `performance.now`. */
  #free = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when these bytes may be moved. The signal ends the wait. */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const start = Math.max(performance.now(), this.#free);
    this.#free = start + (bytes / this.#bytesPerSecond) * 1000;
    for (let left = start - performance.now(); left > 0; left = start - performance.now()) {
      throwIfAborted(signal);
      await wait(Math.min(left, LONGEST_WAIT), signal);
    }
    throwIfAborted(signal);
  }
}

/** A limit where a rate is given. */
export function rateLimit(bytesPerSecond: number | undefined): RateLimit | undefined {
  return bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond);
}

/** Bytes of a piece: no more than a second's worth, so that a slow transfer is steady. */
export function pieceOf(bytes: number, bytesPerSecond: number | undefined): number {
  if (bytesPerSecond === undefined || bytesPerSecond >= bytes) return bytes;
  return Math.max(SMALLEST_PIECE, 2 ** Math.floor(Math.log2(bytesPerSecond)));
}

const SMALLEST_PIECE = 4096;

function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}
