/**
 * A value, or a promise of it where something has to be waited for. A function that returns one answers synchronously from
 * memory, so a read through ten cached layers makes no promise (ADR 4). What has no result returns `Promise<void>`, or
 * `undefined` where there is nothing to wait for.
 *
 * The caller looks before it waits: `if (waiting !== undefined) await waiting`. An `await` of a plain value would end the turn.
 */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Goes on with a value synchronously, or when its promise resolves. Each call makes a closure: loops over clusters write the
 * two cases out. It is not called `then`, which would make a promise of the module that exports it.
 */
export function andThen(
  waiting: Promise<void> | undefined,
  next: () => Promise<void> | undefined,
): Promise<void> | undefined;
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U>;
export function andThen(value: unknown, next: (value: unknown) => unknown): unknown {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Also of another realm, or of a library of its own: a disk from outside may return one. */
function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
