import { expect, test, vi } from 'vitest';
import { CachedDisk, type CachedDiskOptions } from '../../src/disks/cached-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { diskErrorOf, type FaultDiskOptions, faultDisk, pattern } from '../../src/testing/index.ts';

const BLOCK = 1000;
const SIZE = 20_500;

async function cached(faults: FaultDiskOptions, options: CachedDiskOptions = {}) {
  const below = faultDisk(new MemoryDisk(pattern(SIZE)), faults);
  const disk = new CachedDisk(below, { blockBytes: BLOCK, maxBytes: 5 * BLOCK, ...options });
  await disk.init();
  return { below, disk };
}

test('reads a block once for as long as it is in the cache', async () => {
  const { below, disk } = await cached({});
  for (let count = 0; count < 5; count++) await disk.read(count, 2 * BLOCK - 100);
  expect(below.reads).toBe(2);
  await disk.read(2 * BLOCK, 5 * BLOCK); // pushes the first two out
  expect(below.reads).toBe(7);
  await disk.read(0, 1);
  expect(below.reads).toBe(8);
});

test('returns cached blocks synchronously', async () => {
  const { disk } = await cached({ delayMs: 1 });
  const into = new Uint8Array(10);
  expect(disk.readInto(BLOCK - 5, into)).toBeInstanceOf(Promise);
  await disk.read(BLOCK - 5, 10);
  expect(disk.readInto(BLOCK - 5, into)).toBeUndefined();
  expect(into).toEqual(pattern(SIZE).slice(BLOCK - 5, BLOCK + 5));
});

test('reads of one block at one time share one read below', async () => {
  const { below, disk } = await cached({ delayMs: 2 });
  await Promise.all(Array.from({ length: 20 }, (_, index) => disk.read(index, 30)));
  expect(below.reads).toBe(1);
});

test('an aborted caller does not fail the block for the others', async () => {
  const { below, disk } = await cached({ delayMs: 5 });
  const controller = new AbortController();
  const refused = diskErrorOf(() => disk.read(0, 10, { signal: controller.signal }));
  const served = disk.read(0, 10);
  controller.abort();
  expect((await refused).code).toBe('ERR_ABORTED');
  expect(await served).toEqual(pattern(10));
  expect(below.reads).toBe(1);
});

test('a failure is not remembered', async () => {
  const { disk } = await cached({ failAt: 1 });
  expect((await diskErrorOf(() => disk.read(0, 10))).code).toBe('ERR_IO');
  expect(await disk.read(0, 10)).toEqual(pattern(10));
});

test('a short read below is ERR_SHORT_READ, and not remembered', async () => {
  const { disk } = await cached({ shortReadAt: 1 });
  expect(await diskErrorOf(() => disk.read(0, 10))).toMatchObject({ code: 'ERR_SHORT_READ', offset: 0 });
  expect(await disk.read(0, 10)).toEqual(pattern(10));
});

test('a write changes cached blocks, and blocks that are being read', async () => {
  const { disk } = await cached({ delayMs: (call) => (call === 1 ? 10 : 0) });
  const early = disk.read(0, 16);
  await disk.write(8, new Uint8Array(8).fill(1));
  await early;
  expect([...(await disk.read(8, 8))]).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
});

test('a read that overtakes a write does not keep the old bytes', async () => {
  const below = new MemoryDisk(pattern(SIZE));
  const write = below.write.bind(below);
  vi.spyOn(below, 'write').mockImplementation(async (offset, data) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return write(offset, data);
  });
  const disk = new CachedDisk(below, { blockBytes: BLOCK });
  await disk.init();
  const data = new Uint8Array(8).fill(1);
  const writing = disk.write(0, data);
  expect(await disk.read(0, 8)).toEqual(pattern(8));
  await writing;
  expect(await disk.read(0, 8)).toEqual(data);
});

test('a failed write leaves no stale block behind', async () => {
  const { disk } = await cached({ failWriteAt: 1 });
  await disk.read(0, 16);
  expect((await diskErrorOf(() => disk.write(0, new Uint8Array(8).fill(1)))).code).toBe('ERR_IO');
  expect(await disk.read(0, 16)).toEqual(pattern(16));
});

test('a block that fails synchronously waits for the blocks in flight', async () => {
  const { below, disk } = await cached({ readInto: true, failAt: 3, delayMs: (call) => (call < 3 ? 10 : 0) });
  expect((await diskErrorOf(() => disk.read(0, 4 * BLOCK))).code).toBe('ERR_IO');
  expect(below.inFlight).toBe(0);
  expect(await disk.read(0, 4 * BLOCK)).toEqual(pattern(4 * BLOCK));
});
