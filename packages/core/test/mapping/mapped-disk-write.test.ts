import { expect, test, vi } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import {
  describeDiskModule,
  diskErrorOf,
  type FaultDiskOptions,
  faultDisk,
  firstDifference,
  pattern,
} from '../../src/testing/index.ts';
import { ToyAllocator } from '../support/toy-allocator.ts';
import { CLUSTER, mapped } from '../support/toy-format.ts';

const SIZE = 40 * CLUSTER + 123;
const DATA = new Uint8Array(7 * CLUSTER).fill(0x77);

/** An empty overlay on a pattern, the storage below it, and the log of both. */
function overlay(faults: FaultDiskOptions = {}) {
  const log: string[] = [];
  const memory = new MemoryDisk(new Uint8Array(50 * CLUSTER));
  const storage = faultDisk(memory, faults);
  const write = storage.write.bind(storage);
  const writing = vi.spyOn(storage, 'write').mockImplementation(async (offset, data, io) => {
    const written = await write(offset, data, io);
    log.push('written');
    return written;
  });
  const base = new MemoryDisk(pattern(SIZE), { writable: false });
  const allocator = new ToyAllocator(base, SIZE, log);
  const disk = mapped(storage, () => allocator.load(), 'rw');
  return { disk, storage, writing, allocator, log };
}

describeDiskModule('MappedDisk over an allocating writer', {
  open: () => overlay().disk,
  expected: pattern(SIZE),
  writable: true,
});
describeDiskModule('MappedDisk over an allocating writer on a slow disk', {
  open: () => overlay({ delayMs: (call) => (call % 16 === 0 ? 1 : 0) }).disk,
  expected: pattern(SIZE),
  writable: true,
});

test('places, writes, commits: in this order, piece by piece', async () => {
  const { disk, log } = overlay({ delayMs: 2 });
  await disk.init();
  await disk.write(CLUSTER - 10, DATA.subarray(0, 3 * CLUSTER));
  expect(log).toEqual([
    `place ${CLUSTER - 10}`,
    'written',
    'written',
    'written',
    `commit ${CLUSTER - 10}+${2 * CLUSTER + 10}`,
    `place ${3 * CLUSTER}`,
    'written',
    `commit ${3 * CLUSTER}+${CLUSTER - 10}`,
  ]);
});

test('commits only once all writes of the piece are downstream', async () => {
  const { disk, storage, allocator } = overlay({ delayMs: (call) => 10 - call });
  await disk.init();
  await disk.write(2 * CLUSTER, DATA.subarray(0, 10)); // so that the places below are not neighbours
  const inFlight: number[] = [];
  const place = allocator.place.bind(allocator);
  vi.spyOn(allocator, 'place').mockImplementation(async (offset, length) => {
    const placement = await place(offset, length);
    const commit = (): void => {
      inFlight.push(storage.inFlight);
      placement.commit?.();
    };
    return { ...placement, commit };
  });
  await disk.write(CLUSTER, DATA.subarray(0, 3 * CLUSTER));
  expect(inFlight).toEqual([0]);
  expect(storage.mostInFlight).toBeGreaterThan(1);
});

test('a failed write below is not committed, and the old bytes are still there', async () => {
  const { disk, log } = overlay({ failWriteAt: 1 });
  await disk.init();
  expect(await diskErrorOf(() => disk.write(100, DATA))).toMatchObject({ code: 'ERR_IO', format: 'toy' });
  expect(log.filter((line) => line !== 'written')).toEqual(['place 100', `abandon 100+${3 * CLUSTER - 100}`]);
  expect(firstDifference(await disk.read(0, SIZE), pattern(SIZE))).toBeUndefined();
  expect(await disk.write(100, DATA)).toBe(DATA.length);
  expect(await disk.read(100, DATA.length)).toEqual(DATA);
});

test('a storage that takes fewer bytes than it was given fails the write', async () => {
  const { disk, writing, log } = overlay();
  await disk.init();
  writing.mockImplementationOnce(async (_offset, data) => data.length - 1);
  await diskErrorOf(() => disk.write(0, DATA.subarray(0, 100)));
  expect(log.filter((line) => line.startsWith('commit'))).toEqual([]);
});

test('flushes its metadata on close, and then the storage', async () => {
  const { disk, log } = overlay();
  await disk.init();
  await disk.flush();
  await disk.close();
  expect(log).toEqual(['flush', 'flush']);
});

test('close waits for a write that is under way', async () => {
  const { disk, log } = overlay({ delayMs: 3 });
  await disk.init();
  const writing = disk.write(0, DATA);
  await disk.close();
  expect(log.at(-1)).toBe('flush');
  expect(await writing).toBe(DATA.length);
});

test('is read-only on a storage that is', async () => {
  const allocator = new ToyAllocator(new MemoryDisk(pattern(8)), 8, []);
  const disk = mapped(new MemoryDisk(pattern(8), { writable: false }), () => allocator.load(), 'rw');
  await disk.init();
  expect(disk.writable).toBe(false);
  expect(await diskErrorOf(() => disk.write(0, new Uint8Array(1)))).toMatchObject({
    code: 'ERR_READ_ONLY',
    format: 'toy',
  });
  await disk.close();
  expect(allocator.log).toEqual([]);
});
