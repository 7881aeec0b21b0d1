import { setTimeout as later } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { decompressorOf } from '../../src/codec/codec-of.ts';
import type { Decompress } from '../../src/contracts/codec.ts';
import { DiskError } from '../../src/errors/disk-error.ts';
import type { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import { diskErrorOf, pattern } from '../../src/testing/index.ts';
import { compressedDisk } from '../support/compressed-disk.ts';

const UNIT = 512;
const UNITS = 8;
const stored = pattern(UNIT * UNITS, 3);

const diskOf = (decompress: Decompress): Promise<MappedDisk> => compressedDisk(stored, UNIT, decompress);

/** Copies after a while; `running` counts the calls in flight. */
function slow(broken = -1, error: unknown = new Error('a bad mark')) {
  let calls = 0;
  const decompress: Decompress = async (from, into) => {
    const number = calls++;
    await later(1);
    if (number === broken) throw error;
    into.set(from.subarray(0, into.length));
  };
  return { decompress, calls: () => calls };
}

test('an asynchronous decompressor fills runs, single units and parts of a unit', async () => {
  const { decompress, calls } = slow();
  await using disk = await diskOf(decompress);
  expect(await disk.read(0, stored.length)).toEqual(stored);
  expect(await disk.read(UNIT, UNIT)).toEqual(stored.slice(UNIT, 2 * UNIT));
  expect(await disk.read(700, 1000)).toEqual(stored.slice(700, 1700));
  const before = calls();
  expect(await disk.read(710, 10)).toEqual(stored.slice(710, 720));
  expect(calls()).toBe(before); // from the cache
  const reads = [0, 1, 2, 3].map((at) => disk.read(at * 900, 900));
  expect((await Promise.all(reads)).map((bytes) => bytes[0])).toEqual(
    [0, 900, 1800, 2700].map((at) => stored[at]),
  );
});

test('a rejection names the unit, as a throw does', async () => {
  await using disk = await diskOf(slow(3).decompress);
  const error = await diskErrorOf(() => disk.read(0, stored.length));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 3 * UNIT });
  expect(error.reason).toContain('a bad mark');
  await using own = await diskOf(slow(0, new DiskError('ERR_LIMIT', 'enough')).decompress);
  expect((await diskErrorOf(() => own.read(5, 5))).code).toBe('ERR_LIMIT');
  expect(await own.read(5, 5)).toEqual(stored.slice(5, 10));
});

test('a synchronous decompressor makes no promise once it is ready', async () => {
  let loads = 0;
  const copy = (from: Uint8Array, into: Uint8Array): undefined =>
    into.set(from.subarray(0, into.length)) as undefined;
  await using disk = await diskOf(Object.assign(copy, { ready: async () => void loads++ }));
  const into = new Uint8Array(stored.length);
  await disk.readInto(0, into);
  expect(disk.readInto(0, into.fill(0))).toBeUndefined();
  expect(disk.readInto(UNIT, into.subarray(UNIT, 2 * UNIT).fill(0))).toBeUndefined();
  expect(into).toEqual(stored);
  expect(loads).toBe(1);
});

test('a codec that the program lacks is an error of the read, and not of the image', async () => {
  await using disk = await diskOf(decompressorOf({}, 'lzfse'));
  const error = await diskErrorOf(() => disk.read(0, 1));
  expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', format: 'toy' });
  expect(error.reason).toContain('codec "lzfse" is not registered');
  expect((await diskErrorOf(() => disk.read(0, 1))).code).toBe('ERR_UNSUPPORTED');
});
