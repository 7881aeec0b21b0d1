import { expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { UnopenedDisk } from '../../src/disks/unopened-disk.ts';
import { clipRange, readFully, readTarget } from '../../src/io/range.ts';
import { diskErrorOf, faultDisk, pattern } from '../../src/testing/index.ts';

test.for([
  [100, 0, 10, 10],
  [100, 95, 10, 5],
  [100, 100, 10, 0],
  [100, 200, 10, 0],
  [100, 0, Number.MAX_SAFE_INTEGER, 100],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 10, 0],
  [0, 0, 0, 0],
] as const)('of %d bytes, from %d on, %d clip to %d', ([size, offset, length, clipped]) => {
  expect(readTarget(size, offset, length)).toHaveLength(clipped);
  expect(clipRange(size, offset, length)).toBe(clipped);
});

test('clipRange without a length is the rest of the disk', () => {
  expect([clipRange(100, 40, undefined), clipRange(100, 101, undefined)]).toEqual([60, 0]);
});

test('a read that no buffer can hold is ERR_LIMIT', async () => {
  const error = await diskErrorOf(() => readTarget(Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER));
  expect(error.code).toBe('ERR_LIMIT');
});

test('readFully takes the bytes over when the disk has put them elsewhere', async () => {
  const memory = new MemoryDisk(pattern(100));
  await memory.init();
  const stubborn = faultDisk(memory);
  await stubborn.init();
  stubborn.read = (offset, length) => memory.read(offset, length); // ignores `into`
  const into = new Uint8Array(50);
  await readFully(stubborn, 8, into);
  expect(into).toEqual(pattern(100).slice(8, 58));
});

test('an unopened disk refuses its bytes by the name of the disk', async () => {
  const disk = new UnopenedDisk('base\n.qcow2');
  await disk.init();
  expect(disk).toMatchObject({ diskType: '', writable: false, blockSize: 512 });
  const refusal = {
    code: 'ERR_BACKING_NOT_OPEN',
    reason: 'the bytes are in "base\\u000a.qcow2", which was not opened',
  };
  expect(await diskErrorOf(() => disk.read())).toMatchObject(refusal);
  expect(await diskErrorOf(() => disk.write())).toMatchObject(refusal);
  expect(disk.chain()).toEqual([]);
  expect(disk.size()).toBe(Number.MAX_SAFE_INTEGER);
  expect(disk.getBase()).toBe(disk);
  await disk[Symbol.asyncDispose]();
});
