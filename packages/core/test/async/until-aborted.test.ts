import { expect, test } from 'vitest';
import { untilAborted } from '../../src/async/until-aborted.ts';
import { diskErrorOf } from '../../src/testing/index.ts';

test('ends with the promise or with the signal, whichever is first', async () => {
  const controller = new AbortController();
  expect(await untilAborted(Promise.resolve(7), controller.signal)).toBe(7);
  await expect(untilAborted(Promise.reject(new Error('no')), controller.signal)).rejects.toThrow('no');
  const never = new Promise<never>(() => {});
  const waiting = diskErrorOf(() => untilAborted(never, controller.signal));
  controller.abort('enough');
  expect(await waiting).toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
  expect((await diskErrorOf(() => untilAborted(never, controller.signal))).code).toBe('ERR_ABORTED');
});
