import { expect, test } from 'vitest';
import { LoadingCache } from '../../src/cache/loading-cache.ts';

test('keeps no more bytes than it is allowed, the latest used ones', () => {
  const cache = new LoadingCache<string>(30);
  cache.put(1, 'a', 10);
  cache.put(2, 'b', 10);
  cache.put(3, 'c', 10);
  expect(cache.peek(1)).toBe('a'); // now the youngest
  cache.put(4, 'd', 10);
  expect([1, 2, 3, 4].map((key) => cache.peek(key))).toEqual(['a', undefined, 'c', 'd']);
  cache.put(5, 'e', 30);
  expect([1, 3, 4, 5].map((key) => cache.peek(key))).toEqual([undefined, undefined, undefined, 'e']);
});

test('a value replaced or deleted gives its bytes back', () => {
  const cache = new LoadingCache<string>(20);
  cache.put(1, 'a', 20);
  cache.put(1, 'b', 10);
  cache.put(2, 'c', 10);
  expect([cache.peek(1), cache.peek(2)]).toEqual(['b', 'c']);
  cache.delete(1);
  cache.delete(1);
  cache.put(3, 'd', 10);
  expect([cache.peek(1), cache.peek(2), cache.peek(3)]).toEqual([undefined, 'c', 'd']);
});

test('a value beyond the bound is kept until the next arrives', () => {
  const cache = new LoadingCache<string>(0);
  cache.put(1, 'a', 10);
  expect(cache.peek(1)).toBe('a');
  cache.put(2, 'b', 10);
  expect([cache.peek(1), cache.peek(2)]).toEqual([undefined, 'b']);
});

test('says which values had to make room', () => {
  const dropped: string[] = [];
  const cache = new LoadingCache<string>(20, (value) => dropped.push(value));
  cache.put(1, 'a', 10);
  cache.put(2, 'b', 10);
  cache.put(2, 'c', 10);
  cache.delete(2);
  expect(dropped).toEqual([]); // replaced and deleted values may be in use
  cache.put(3, 'd', 10);
  cache.peek(1);
  cache.put(4, 'e', 20);
  expect(dropped).toEqual(['d', 'a']);
});

test('shares a load while it is under way, and keeps its value', async () => {
  const cache = new LoadingCache<string>(100);
  const { promise, resolve } = Promise.withResolvers<string>();
  expect(cache.loading(1)).toBeUndefined();
  const adopted = cache.adopt(1, promise, 10);
  expect(cache.loading(1)).toBe(adopted);
  expect(cache.peek(1)).toBeUndefined();
  resolve('a');
  expect(await adopted).toBe('a');
  expect([cache.loading(1), cache.peek(1)]).toEqual([undefined, 'a']);
});

test('does not remember a failure', async () => {
  const cache = new LoadingCache<string>(100);
  await expect(cache.adopt(1, Promise.reject(new Error('no')), 10)).rejects.toThrow('no');
  expect([cache.loading(1), cache.peek(1)]).toEqual([undefined, undefined]);
  expect(await cache.adopt(1, Promise.resolve('a'), 10)).toBe('a');
  expect(cache.peek(1)).toBe('a');
});

test.for(['invalidate', 'clear'] as const)(
  '%s during a load: who waits gets it, nobody else',
  async (how) => {
    const cache = new LoadingCache<string>(100);
    const stale = Promise.withResolvers<string>();
    const waiting = cache.adopt(1, stale.promise, 10);
    cache[how](1);
    expect(cache.loading(1)).toBeUndefined();
    const fresh = Promise.withResolvers<string>();
    const next = cache.adopt(1, fresh.promise, 10);
    stale.resolve('old');
    expect(await waiting).toBe('old');
    expect(cache.peek(1)).toBeUndefined();
    expect(cache.loading(1)).toBe(next);
    fresh.resolve('new');
    await next;
    expect(cache.peek(1)).toBe('new');
  },
);

test('a stale load that ends last does not come back', async () => {
  const cache = new LoadingCache<string>(100);
  const stale = Promise.withResolvers<string>();
  const waiting = cache.adopt(1, stale.promise, 10);
  cache.invalidate(1);
  await cache.adopt(1, Promise.resolve('new'), 10);
  stale.resolve('old');
  await waiting;
  expect(cache.peek(1)).toBe('new');
});

test('invalidate and clear drop the entries', () => {
  const cache = new LoadingCache<string>(20);
  cache.put(1, 'a', 10);
  cache.put(2, 'b', 10);
  cache.invalidate(1);
  expect([cache.peek(1), cache.peek(2)]).toEqual([undefined, 'b']);
  cache.clear();
  expect(cache.peek(2)).toBeUndefined();
  cache.put(3, 'c', 20);
  expect(cache.peek(3)).toBe('c');
});
