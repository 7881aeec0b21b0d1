import type { MaybePromise } from '../async/maybe-promise.ts';
import { throwIfAborted } from '../errors/disk-error.ts';

/** Ends a hold. */
export type Release = () => void;

interface Hold {
  readonly start: number;
  readonly end: number;
  readonly exclusive: boolean;
  /** Holds, and holds to be, that came before and are in the way. */
  blockers: number;
  /** Those that wait for this one. */
  readonly waiters: Hold[];
  grant: (() => void) | undefined;
}

/**
 * Locks on ranges of bytes, first come first served: exclusive ones, and shared ones that stand beside each other. A
 * later hold waits for every earlier one that it conflicts with, so no hold waits for ever.
 */
export class RangeLocks {
  readonly #holds = new Set<Hold>();

  /** Holds a range: synchronously (no promise) where no other hold conflicts. */
  acquire(start: number, end: number, exclusive: boolean, signal?: AbortSignal): MaybePromise<Release> {
    const hold: Hold = { start, end, exclusive, blockers: 0, waiters: [], grant: undefined };
    for (const other of this.#holds) {
      if (other.start >= end || start >= other.end || !(exclusive || other.exclusive)) continue;
      hold.blockers++;
      other.waiters.push(hold);
    }
    this.#holds.add(hold);
    const release: Release = () => this.#release(hold);
    if (hold.blockers === 0) return release;
    return new Promise<void>((resolve) => {
      hold.grant = resolve;
    }).then(() => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        release();
        throw error;
      }
      return release;
    });
  }

  #release(hold: Hold): void {
    if (!this.#holds.delete(hold)) return;
    for (const waiter of hold.waiters) {
      if (--waiter.blockers === 0) waiter.grant?.();
    }
  }
}
