import { throwIfAborted } from '../errors/disk-error.ts';

/** Longest wait of one timer in milliseconds, a day. Timers have 32 bits, which hold about 25 days. */
const LONGEST_WAIT = 86_400_000;

/** Limits a transfer to a number of bytes per second. */
export class RateLimit {
  readonly #bytesPerSecond: number;
  /** Time at which the next bytes may be moved, on the clock of `performance.now`. */
  #free = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when this many bytes may be moved. Rejects when the signal aborts. */
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

/** Makes a limit, or `undefined` without a rate. */
export function rateLimit(bytesPerSecond: number | undefined): RateLimit | undefined {
  return bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond);
}

/** Size of a piece in bytes: about a second's worth at most, so that a slow transfer is steady. */
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
