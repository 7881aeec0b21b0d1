/**
 * A value if it is available synchronously, otherwise a promise of it. A read through ten cached layers thus makes no promise
 * (ADR 4). A function without a result returns `undefined` if it completed synchronously, otherwise a `Promise<void>`.
 *
 * Callers await only promises: `if (waiting !== undefined) await waiting`. An `await` of a plain value would cost a microtask.
 */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls `next` with a value: synchronously, or when its promise resolves. Each call makes a closure, so loops over clusters write
 * out both cases instead. It is not called `then`, because a module that exports `then` acts as a promise.
 */
export function andThen(
  waiting: Promise<void> | undefined,
  next: () => Promise<void> | undefined,
): Promise<void> | undefined;
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U>;
export function andThen(value: unknown, next: (value: unknown) => unknown): unknown {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Accepts any thenable: a disk from outside may return a promise of another realm or of a library. */
function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
