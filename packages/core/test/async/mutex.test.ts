import { expect, test } from 'vitest';
import { Mutex } from '../../src/async/mutex.ts';

test('one piece of work runs at a time, in the order of the calls', async () => {
  const mutex = new Mutex();
  const log: string[] = [];
  const work = (name: string, turns: number) => async () => {
    log.push(`${name} begins`);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    log.push(`${name} ends`);
    return name;
  };
  const results = await Promise.all([
    mutex.run(work('a', 9)),
    mutex.run(work('b', 1)),
    mutex.run(work('c', 5)),
  ]);
  expect(results).toEqual(['a', 'b', 'c']);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('a failure goes to its caller, and the next work runs', async () => {
  const mutex = new Mutex();
  const failing = mutex.run(() => Promise.reject(new Error('no')));
  const next = mutex.run(async () => 1);
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe(1);
});
