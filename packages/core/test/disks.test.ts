import { expect, test } from 'vitest';
import { BlobDisk } from '../src/disks/blob-disk.ts';
import { borrow } from '../src/disks/borrowed-disk.ts';
import { CachedDisk } from '../src/disks/cached-disk.ts';
import { MemoryDisk } from '../src/disks/memory-disk.ts';
import { SliceDisk } from '../src/disks/slice-disk.ts';
import { describeDiskModule, diskErrorOf, faultDisk, pattern, patternDisk } from '../src/testing/index.ts';

const SIZE = 200_003;
const expected = pattern(SIZE);
const memory = (): MemoryDisk => new MemoryDisk(pattern(SIZE));
const readOnly = (): MemoryDisk => new MemoryDisk(pattern(SIZE), { writable: false });
const slow = (): ReturnType<typeof faultDisk> =>
  faultDisk(memory(), { delayMs: (call) => (call % 16 === 0 ? 1 : 0) });

describeDiskModule('MemoryDisk', { open: memory, expected, writable: true });
describeDiskModule('MemoryDisk for reading', { open: readOnly, expected });
describeDiskModule('an empty MemoryDisk', {
  open: () => new MemoryDisk(new Uint8Array(0)),
  expected: new Uint8Array(0),
  writable: true,
});
describeDiskModule('BlobDisk', { open: () => new BlobDisk(new Blob([pattern(SIZE)])), expected });

describeDiskModule('SliceDisk', {
  open: () => new SliceDisk(memory(), 1001, 150_001),
  expected: expected.slice(1001, 151_002),
  writable: true,
});
describeDiskModule('SliceDisk for reading, to the end', {
  open: () => new SliceDisk(readOnly(), 513),
  expected: expected.slice(513),
});
describeDiskModule('SliceDisk over a slow disk without readInto', {
  open: () => new SliceDisk(slow(), 1001, 150_001),
  expected: expected.slice(1001, 151_002),
  writable: true,
});
describeDiskModule('SliceDisk of a SliceDisk', {
  open: () => new SliceDisk(new SliceDisk(memory(), 100, 120_000), 900, 100_000),
  expected: expected.slice(1000, 101_000),
  writable: true,
});

describeDiskModule('CachedDisk', { open: () => new CachedDisk(memory()), expected, writable: true });
describeDiskModule('CachedDisk for reading', { open: () => new CachedDisk(readOnly()), expected });
describeDiskModule('CachedDisk with small blocks and a tiny cache', {
  open: () => new CachedDisk(memory(), { blockBytes: 509, maxBytes: 3000 }),
  expected,
  writable: true,
});
describeDiskModule('CachedDisk over a slow disk without readInto', {
  open: () => new CachedDisk(slow(), { blockBytes: 4096, maxBytes: 20_000 }),
  expected,
  writable: true,
});
describeDiskModule('CachedDisk without a cache', {
  open: () => new CachedDisk(slow(), { blockBytes: 4096, maxBytes: 0 }),
  expected,
  writable: true,
});

describeDiskModule('a borrowed disk', { open: () => borrow(memory()), expected, writable: true });
describeDiskModule('a disk borrowed for reading', {
  open: () => borrow(memory(), { readOnly: true }),
  expected,
});
describeDiskModule('a borrowed slow disk', { open: () => borrow(slow()), expected, writable: true });
describeDiskModule('a borrowed SliceDisk', {
  open: () => borrow(new SliceDisk(patternDisk(10_000), 8)),
  expected: pattern(10_000).slice(8),
});

test('closing a borrowed disk leaves the disk open; closing the others closes it', async () => {
  const disk = memory();
  const handle = borrow(disk);
  await handle.init();
  await handle.close();
  expect(disk.size()).toBe(SIZE);
  await using cached = new CachedDisk(new SliceDisk(disk, 0));
  await cached.init();
  await cached.close();
  expect(() => disk.size()).toThrow(expect.objectContaining({ code: 'ERR_STATE' }));
});

test('a storage adds no name to the column of layers, and a lender may', () => {
  expect(new CachedDisk(new SliceDisk(memory(), 0)).diskType).toBe('');
  const volume = borrow(memory(), { diskType: 'LVM2', location: '/dev/vg/lv' });
  expect(volume).toMatchObject({ diskType: 'LVM2', location: '/dev/vg/lv', blockSize: 512 });
  expect(new SliceDisk(borrow(memory(), { diskType: 'LVM2' }), 0).diskType).toBe('LVM2');
});

test('a MemoryDisk uses the bytes of its caller in place', async () => {
  const bytes = pattern(100);
  const disk = new MemoryDisk(bytes);
  await disk.init();
  await disk.write(3, new Uint8Array([7, 8]));
  expect([...bytes.subarray(2, 6)]).toEqual([0, 7, 8, 0]);
});

test.for([
  [0, SIZE + 1],
  [SIZE, 1],
  [SIZE + 1, undefined],
  [1, SIZE],
] as const)('a slice from %d of %d bytes does not fit', async ([start, length]) => {
  const slice = new SliceDisk(memory(), start, length);
  expect((await diskErrorOf(() => slice.init())).code).toBe('ERR_ARGUMENT');
  await slice.close();
});

test('an empty slice at the very end fits', async () => {
  const slice = new SliceDisk(memory(), SIZE);
  await slice.init();
  expect(slice.size()).toBe(0);
  await slice.close();
});

test.for([-1, 0.5, NaN, 2 ** 53])('a slice from %d on makes no sense', (start) => {
  expect(() => new SliceDisk(memory(), start)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
  expect(() => new SliceDisk(memory(), 0, start)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT' }));
});

test.for([0, -1, 0.5, NaN])('a block of %d bytes makes no sense', (blockBytes) => {
  expect(() => new CachedDisk(memory(), { blockBytes })).toThrow(
    expect.objectContaining({ code: 'ERR_ARGUMENT' }),
  );
});
