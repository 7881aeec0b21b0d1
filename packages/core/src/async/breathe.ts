/** Longest uninterrupted work, in milliseconds. */
const TURN = 10;

/** What Node has, and browsers have not. Taken once, so that a test with fake timers does not stop every disk. */
const { setImmediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown };

let lastTurn = Number.NEGATIVE_INFINITY;
let pause: Promise<void> | undefined;

/**
 * Hands the event loop over after some 10 ms of uninterrupted work, so that timers, sockets and abort signals run.
 *
 * Reads that are answered from memory only queue microtasks: a loop of them, or any long loop, keeps the rest of the
 * program waiting unless it calls this now and then. All work of the program shares one clock, because two loops that
 * take turns as microtasks starve the event loop as well as one does.
 *
 *     const pause = breathe();
 *     if (pause !== undefined) await pause;
 *
 * @returns `undefined` while there is time left: nothing to wait for, and no promise
 */
export function breathe(): Promise<void> | undefined {
  if (pause !== undefined) return pause;
  if (Math.abs(Date.now() - lastTurn) < TURN) return undefined; // a clock may be set back
  pause = new Promise<void>((resolve) => {
    afterEvents(() => {
      pause = undefined;
      lastTurn = Date.now();
      resolve();
    });
  });
  return pause;
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
