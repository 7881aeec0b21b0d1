/** Longest uninterrupted work, in milliseconds. */
const TURN = 10;

/** What Node has, and browsers have not. Taken once, so that a test with fake timers does not stop every disk. */
const { setImmediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown };

/** When the turn of the event loop began that the work now runs in. */
let turnAt = Number.NEGATIVE_INFINITY;
/** Resumes work that has had its time. The longest waiting comes first. */
const waiting: (() => void)[] = [];

/**
 * Hands the event loop over after some 10 ms of uninterrupted work, so that timers, sockets and abort signals run.
 *
 * Reads that are answered from memory only queue microtasks: a loop of them, or any long loop, keeps the rest of the
 * program waiting unless it calls this now and then. All work of the program shares one clock, because two loops that
 * take turns as microtasks starve the event loop as well as one does. For the same reason loops that wait are resumed one
 * by one, as many in a turn as there is time for.
 *
 *     const pause = breathe();
 *     if (pause !== undefined) await pause;
 *
 * @returns `undefined` while there is time left: nothing to wait for, and no promise
 */
export function breathe(): Promise<void> | undefined {
  if (!isTurnOver()) return undefined;
  return new Promise<void>((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) afterEvents(beginTurn);
  });
}

/** Whether `breathe` would make the caller wait. */
export function isTurnOver(): boolean {
  return Math.abs(Date.now() - turnAt) >= TURN; // a clock may be set back
}

function beginTurn(): void {
  turnAt = Date.now();
  resumeNext();
}

function resumeNext(): void {
  waiting.shift()?.();
  // Comes after the work that was just resumed: that is a microtask, and was queued before this one.
  if (waiting.length > 0) queueMicrotask(() => (isTurnOver() ? afterEvents(beginTurn) : resumeNext()));
}

/** Runs the callback after the events that wait now. Unlike a timer it is not delayed by milliseconds. */
function afterEvents(callback: () => void): void {
  if (setImmediate !== undefined) {
    setImmediate(callback);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (): void => {
    port1.close();
    callback();
  };
  port2.postMessage(undefined);
}
