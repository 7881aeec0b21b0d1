/** Longest work without a turn of the event loop, in milliseconds. */
const TURN = 10;

/** Exists on Node, not in browsers. Read once, so that a test with fake timers does not stop every disk. */
const { setImmediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown };

/** Start of the current turn of the event loop, in milliseconds. */
let turnAt = Number.NEGATIVE_INFINITY;
/** Callbacks that resume waiting callers of `breathe`, in the order of the calls. */
const waiting: (() => void)[] = [];

/**
 * Yields to the event loop after about 10 ms of uninterrupted work, so that timers, sockets and abort signals run.
 *
 * Reads from memory only queue microtasks, so a loop of them (or any other long loop) blocks the rest of the program unless it
 * calls this function regularly. All loops of the program share one clock, because two loops that alternate as microtasks starve
 * the event loop as much as one does. For the same reason, waiting loops are resumed one after another, as many as fit in a turn.
 *
 *     const pause = breathe();
 *     if (pause !== undefined) await pause;
 *
 * @returns `undefined`, and no promise, while the turn has time left
 */
export function breathe(): Promise<void> | undefined {
  if (!isTurnOver()) return undefined;
  return new Promise<void>((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) afterEvents(beginTurn);
  });
}

/** Returns whether `breathe` would return a promise. */
export function isTurnOver(): boolean {
  return Math.abs(Date.now() - turnAt) >= TURN; // the clock may be set back
}

function beginTurn(): void {
  turnAt = Date.now();
  resumeNext();
}

function resumeNext(): void {
  waiting.shift()?.();
  // Runs after the work that was just resumed, whose microtask was queued before this one.
  if (waiting.length > 0) queueMicrotask(() => (isTurnOver() ? afterEvents(beginTurn) : resumeNext()));
}

/** Runs the callback after all pending events, without the delay of milliseconds that a timer has. */
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
