import { expect, test, vi } from 'vitest';
import { Lifecycle } from '../../src/async/lifecycle.ts';

const open = async (): Promise<void> => {};

test('opens once, however often init is called', async () => {
  const life = new Lifecycle();
  const opening = vi.fn(open);
  const first = life.init(opening);
  expect(life.init(opening)).toBe(first);
  await first;
  expect(life.init(opening)).toBe(first);
  expect(opening).toHaveBeenCalledTimes(1);
});

test('is usable from the end of init to the start of close', async () => {
  const life = new Lifecycle();
  const closed = expect.objectContaining({ code: 'ERR_STATE', reason: 'the disk is closed' });
  const early = expect.objectContaining({
    code: 'ERR_STATE',
    reason: expect.stringContaining('init() first'),
  });
  expect(() => life.check()).toThrow(early);
  const opening = life.init(open);
  expect(() => life.enter()).toThrow(early);
  await opening;
  life.check();
  const closing = life.close(open);
  expect(() => life.check()).toThrow(closed);
  expect(() => life.enter()).toThrow(closed);
  await closing;
  expect(() => life.check()).toThrow(closed);
  await expect(life.init(open)).rejects.toEqual(closed);
});

test('releases once, and all calls of close share it', async () => {
  const life = new Lifecycle();
  const release = vi.fn(open);
  await life.init(open);
  const closing = life.close(release);
  expect(life.close(release)).toBe(closing);
  await closing;
  await life.close(release);
  expect(release).toHaveBeenCalledTimes(1);
});

test('close waits for calls in flight', async () => {
  const life = new Lifecycle();
  await life.init(open);
  const release = vi.fn(open);
  life.enter();
  life.enter();
  const closing = life.close(release);
  life.leave();
  await new Promise((resolve) => setTimeout(resolve, 2));
  expect(release).not.toHaveBeenCalled();
  life.leave();
  await closing;
  expect(release).toHaveBeenCalledTimes(1);
});

test('close waits for init, which then does not make it usable', async () => {
  const life = new Lifecycle();
  const { promise, resolve } = Promise.withResolvers<void>();
  const opening = life.init(() => promise);
  const release = vi.fn(open);
  const closing = life.close(release);
  await Promise.resolve();
  expect(release).not.toHaveBeenCalled();
  resolve();
  await Promise.all([opening, closing]);
  expect(release).toHaveBeenCalledTimes(1);
  expect(() => life.check()).toThrow(expect.objectContaining({ code: 'ERR_STATE' }));
});

test('a failed init stays failed, and close still releases', async () => {
  const life = new Lifecycle();
  const opening = vi.fn(() => Promise.reject(new Error('no such file')));
  await expect(life.init(opening)).rejects.toThrow('no such file');
  await expect(life.init(opening)).rejects.toThrow('no such file');
  expect(opening).toHaveBeenCalledTimes(1);
  expect(() => life.check()).toThrow(expect.objectContaining({ code: 'ERR_STATE' }));
  const release = vi.fn(open);
  await life.close(release);
  expect(release).toHaveBeenCalledTimes(1);
});

test('close without init releases', async () => {
  const release = vi.fn(open);
  await new Lifecycle().close(release);
  expect(release).toHaveBeenCalledTimes(1);
});

test('work does not begin on a disk that is closed', async () => {
  const life = new Lifecycle();
  await life.init(async () => {});
  await life.close(async () => {});
  let hasBegun = false;
  const work = async (): Promise<void> => {
    hasBegun = true;
  };
  await expect(life.whileOpen(work)).rejects.toMatchObject({ code: 'ERR_STATE' });
  expect(hasBegun).toBe(false);
});
