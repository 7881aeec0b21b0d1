import { expect, test } from 'vitest';
import { andThen } from '../../src/async/maybe-promise.ts';

/** An object with a property of that name, which only a function makes a promise. */
function withThen(property: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries([['then', property]]);
}

test('a value goes on synchronously', () => {
  expect(andThen(20, (value) => value + 1)).toBe(21);
  expect(andThen(null, (value) => [value])).toEqual([null]);
  expect(andThen(withThen(5), Object.keys)).toEqual(['then']);
});

test('a promise goes on later, with what it resolves to', async () => {
  const log: string[] = [];
  const going = andThen(Promise.resolve('value'), (value) => {
    log.push(value);
    return value.length;
  });
  expect(log).toEqual([]);
  expect(going).toBeInstanceOf(Promise);
  expect(await going).toBe(5);
});

test('nothing to wait for stays nothing to wait for', async () => {
  let count = 0;
  const next = (): undefined => {
    count++;
  };
  expect(andThen(undefined, next)).toBe(undefined);
  expect(count).toBe(1);
  await andThen(Promise.resolve(), next);
  await andThen(undefined, () => Promise.resolve().then(next));
  expect(count).toBe(3);
});

test('a failure before or after is the failure of the whole', async () => {
  const failure = new Error('no');
  const fail = (): never => {
    throw failure;
  };
  expect(() => andThen(1, fail)).toThrow(failure);
  await expect(andThen(Promise.resolve(1), fail)).rejects.toBe(failure);
  await expect(andThen(Promise.reject(failure), () => 1)).rejects.toBe(failure);
});

test('a promise of another library is waited for', async () => {
  const foreign = withThen((next: (value: number) => number) => Promise.resolve(7).then(next));
  expect(await andThen(foreign as unknown as Promise<number>, (value) => value * 2)).toBe(14);
});
