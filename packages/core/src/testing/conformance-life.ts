import { expect } from 'vitest';
import type { DiskModule } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { type Check, expectBytes, expectCode, numbers, type Subject } from './conformance-subject.ts';

/** Behaviours of a disk's lifecycle: opening, aborting, closing. */
export type LifeBehaviour =
  | 'init'
  | 'size'
  | 'beforeInit'
  | 'abort'
  | 'abortMidway'
  | 'doubleClose'
  | 'closeUnused'
  | 'afterClose'
  | 'closeInFlight'
  | 'awaitUsing'
  | 'getBase';

export const LIFE_CHECKS: Readonly<Record<LifeBehaviour, Check>> = {
  init: {
    title: 'init() is idempotent: all calls share one promise',
    async run(subject) {
      const disk = await subject.fresh();
      const first = disk.init();
      expect(disk.init()).toBe(first);
      await first;
      expect(disk.init()).toBe(first);
      await subject.expectUnchanged(disk);
    },
  },
  size: {
    title: 'reports its size, its sector size and whether it is writable',
    async run(subject) {
      const disk = await subject.ready();
      expect(disk.size()).toBe(subject.size);
      expect([512, 4096]).toContain(disk.blockSize);
      expect(disk.diskType).toBeTypeOf('string');
      expect(disk.writable).toBe(subject.writable);
    },
  },
  beforeInit: {
    title: 'refuses to be used before init() (ERR_STATE)',
    async run(subject) {
      const disk = await subject.fresh();
      await expectUnusable(disk);
      await disk.init();
      await subject.expectUnchanged(disk);
    },
  },
  abort: {
    title: 'refuses a read whose signal has aborted (ERR_ABORTED), and still works afterwards',
    async run(subject) {
      const disk = await subject.ready();
      if (subject.size === 0) return;
      const signal = AbortSignal.abort(new Error('enough'));
      await expectCode(() => disk.read(0, 1, { signal }), 'ERR_ABORTED');
      await expectCode(() => disk.read(0, subject.size, { signal }), 'ERR_ABORTED');
      await subject.expectUnchanged(disk);
    },
  },
  abortMidway: {
    title:
      'a read aborted midway resolves completely or fails (ERR_ABORTED), and its buffer is not written afterwards',
    run: checkAbortMidway,
  },
  doubleClose: {
    title: 'close() is idempotent',
    async run(subject) {
      const disk = await subject.ready();
      await Promise.all([disk.close(), disk.close()]);
      await disk.close();
    },
  },
  closeUnused: {
    title: 'closes without ever being initialised',
    async run(subject) {
      const disk = await subject.fresh();
      await disk.close();
      await expectUnusable(disk);
    },
  },
  afterClose: {
    title: 'refuses to be used after close() (ERR_STATE)',
    async run(subject) {
      const disk = await subject.ready();
      await disk.close();
      await expectUnusable(disk);
      await expectCode(() => disk.init(), 'ERR_STATE');
    },
  },
  closeInFlight: {
    title: 'close() during reads: each read resolves completely or fails with a DiskError',
    run: checkCloseInFlight,
  },
  awaitUsing: {
    title: 'is closed at the end of its `await using` block',
    async run(subject) {
      const outside = await subject.ready();
      {
        await using disk = outside;
        await subject.expectRead(disk, 0, 100);
      }
      await expectUnusable(outside);
    },
  },
  getBase: {
    title: 'getBase() is a disk',
    async run(subject) {
      const base = (await subject.ready()).getBase();
      await base.init();
      expect(Number.isSafeInteger(base.size())).toBe(true);
      expect(await base.read(0, 16)).toHaveLength(Math.min(16, base.size()));
    },
  },
};

async function expectUnusable(disk: DiskModule): Promise<void> {
  await expectCode(() => disk.size(), 'ERR_STATE');
  await expectCode(() => disk.read(0, 1), 'ERR_STATE');
  await expectCode(() => disk.write(0, new Uint8Array(1)), 'ERR_STATE');
}

async function checkAbortMidway(subject: Subject): Promise<void> {
  const disk = await subject.ready();
  const { size } = subject;
  const into = new Uint8Array(size);
  for (const wait of [0, 1]) {
    const controller = new AbortController();
    into.fill(0xa5);
    const reading = disk.read(0, size, { signal: controller.signal, into }).catch((error: unknown) => error);
    if (wait > 0) await pause(wait);
    controller.abort();
    const result = await reading;
    if (result instanceof Uint8Array) {
      expectBytes(result, subject.expected, 0);
      continue;
    }
    expect(result).toMatchObject({ name: 'DiskError', code: 'ERR_ABORTED' });
    const refused = into.slice();
    await pause(5);
    expectBytes(into, refused, 0);
  }
  await subject.expectUnchanged(disk);
}

async function checkCloseInFlight(subject: Subject): Promise<void> {
  const disk = await subject.ready();
  const next = numbers(20);
  const ranges = Array.from({ length: 20 }, () => [next(subject.size), next(70_000)] as const);
  const reads = ranges.map(([offset, length]) => disk.read(offset, length));
  const closing = disk.close();
  const late = expectCode(() => disk.read(0, 1), 'ERR_STATE');
  const results = await Promise.allSettled(reads);
  for (const [index, [offset, length]] of ranges.entries()) {
    const result = results[index];
    if (result?.status === 'fulfilled') expectBytes(result.value, subject.part(offset, length), offset);
    else expect(result?.reason).toBeInstanceOf(DiskError);
  }
  await Promise.all([late, closing]);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
