import { expect, test } from 'vitest';
import { awaitAll, rejected } from '../../src/async/await-all.ts';

test('waits for all, then throws the first failure in order', async () => {
  let late = false;
  const slow = new Promise<void>((resolve) => {
    setTimeout(() => {
      late = true;
      resolve();
    }, 5);
  });
  const failures = [new Error('first'), new Error('second')];
  await expect(awaitAll([slow, ...failures.map((error) => Promise.reject(error))])).rejects.toBe(failures[0]);
  expect(late).toBe(true);
  await awaitAll([]);
});

test('a failure stands in the row as a promise', async () => {
  const failure = new Error('no');
  await expect(rejected(failure)).rejects.toBe(failure);
  await expect(awaitAll([Promise.resolve(), rejected(failure)])).rejects.toBe(failure);
});
