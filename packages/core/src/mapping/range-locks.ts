import type { MaybePromise } from '../async/maybe-promise.ts';
import { throwIfAborted } from '../errors/disk-error.ts';

/** Releases a lock. Further calls have no effect. */
export type Release = () => void;

interface Hold {
  readonly start: number;
  readonly end: number;
  readonly exclusive: boolean;
  /** Number of conflicting holds, granted or waiting, that came earlier. */
  blockers: number;
  /** Holds that wait for this one. */
  readonly waiters: Hold[];
  grant: (() => void) | undefined;
}

/**
 * Locks on ranges of bytes, exclusive or shared, in order of arrival. A hold waits for every earlier hold that it conflicts with,
 * so no hold starves.
 */
export class RangeLocks {
  readonly #holds = new Set<Hold>();

  /** Locks a range from `start` to `end` (exclusive). Synchronous, without a promise, if no other hold conflicts. */
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
