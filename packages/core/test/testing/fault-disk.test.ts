import { expect, test } from 'vitest';
import { type Abilities, can } from '../../src/contracts/abilities.ts';
import { defineDisk } from '../../src/disks/define-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { SliceDisk } from '../../src/disks/slice-disk.ts';
import { FileDisk } from '../../src/node/file/file-disk.ts';
import {
  describeDiskModule,
  diskErrorOf,
  type FaultDiskOptions,
  faultDisk,
  pattern,
  patternDisk,
} from '../../src/testing/index.ts';

const SIZE = 100_001;
const memory = (): MemoryDisk => new MemoryDisk(pattern(SIZE));

describeDiskModule('a fault disk without a fault', {
  open: () => faultDisk(memory()),
  expected: pattern(SIZE),
  writable: true,
});
describeDiskModule('a slow fault disk with readInto', {
  open: () => faultDisk(memory(), { delayMs: (call) => (call % 16 === 0 ? 1 : 0), readInto: true }),
  expected: pattern(SIZE),
  writable: true,
});

async function ready(options: FaultDiskOptions) {
  const disk = faultDisk(memory(), options);
  await disk.init();
  return disk;
}

test('offers readInto only if the option is set', async () => {
  expect(can(faultDisk(patternDisk(8)), 'readInto')).toBe(false);
  expect(can(faultDisk(patternDisk(8), { readInto: true }), 'readInto')).toBe(true);
});

test('keeps the abilities of the disk, and neither counts nor fails them', async () => {
  const disk = await ready({ failAt: 1, failWriteAt: 1 });
  const { resize, discard } = disk as Partial<Abilities>;
  expect(discard).toBe(undefined);
  await resize?.(SIZE + 1);
  expect(disk.size()).toBe(SIZE + 1);
  const file = faultDisk(new FileDisk('/tmp/x.img'));
  expect(can(file, 'location') && file.location).toBe('/tmp/x.img');
  const slice = faultDisk(new SliceDisk(zeroing(), 0, 64), { readInto: true });
  await slice.init();
  await (slice as Partial<Abilities>).writeZeroes?.(8, 8);
  expect(await slice.read(7, 3)).toEqual(Uint8Array.of(9, 0, 0));
  expect([disk.reads, disk.writes, slice.writes]).toEqual([0, 0, 0]);
});

/** A disk that has `writeZeroes`. */
function zeroing() {
  const bytes = new Uint8Array(64).fill(9);
  return defineDisk({
    size: () => bytes.length,
    readInto(offset, into) {
      into.set(bytes.subarray(offset, offset + into.length));
      return undefined;
    },
    write(offset, data) {
      bytes.set(data, offset);
      return undefined;
    },
    async writeZeroes(offset, length) {
      bytes.fill(0, offset, offset + length);
    },
  });
}

test('the n-th read is short, the others are whole', async () => {
  const disk = await ready({ shortReadAt: 2, missingBytes: 3 });
  expect(await disk.read(0, 100)).toHaveLength(100);
  expect(await disk.read(0, 100)).toHaveLength(97);
  expect(await disk.read(0, 100)).toHaveLength(100);
});

test('a short read at the end of the disk is shorter than the rest of the disk', async () => {
  const disk = await ready({ shortReadAt: 1 });
  expect(await disk.read(SIZE - 10, 100)).toHaveLength(9);
});

test('the n-th read and the n-th write fail, counted apart', async () => {
  const disk = await ready({ failAt: 2, failWriteAt: 1 });
  expect((await diskErrorOf(() => disk.write(0, pattern(8, 1)))).code).toBe('ERR_IO');
  expect(await disk.read(0, 16)).toEqual(pattern(16));
  expect((await diskErrorOf(() => disk.read(0, 16))).code).toBe('ERR_IO');
  expect(await disk.write(0, pattern(8, 1))).toBe(8);
  expect({ reads: disk.reads, writes: disk.writes, inFlight: disk.inFlight }).toEqual({
    reads: 2,
    writes: 2,
    inFlight: 0,
  });
});

test('fails with the error that it is given', async () => {
  const error = new Error('the cable is out');
  const disk = await ready({ failAt: 1, error });
  await expect(disk.read(0, 1)).rejects.toBe(error);
});

test('readInto fails synchronously, as the disk below does', async () => {
  const disk = await ready({ failAt: 1, shortReadAt: 2, readInto: true });
  const into = new Uint8Array(4);
  expect(() => disk.readInto?.(0, into)).toThrow(expect.objectContaining({ code: 'ERR_IO' }));
  expect(() => disk.readInto?.(0, into)).toThrow(expect.objectContaining({ code: 'ERR_SHORT_READ' }));
  expect(disk.readInto?.(8, into)).toBeUndefined();
  expect(disk.inFlight).toBe(0);
});

test('counts the calls that are under way, and close() waits for them', async () => {
  const disk = await ready({ delayMs: 5 });
  const reads = Promise.all([disk.read(0, 8), disk.read(8, 8), disk.read(16, 8)]);
  expect(disk.inFlight).toBe(3);
  await disk.close();
  expect(disk.inFlight).toBe(0);
  expect(await reads).toHaveLength(3);
  expect(disk.mostInFlight).toBe(3);
});
