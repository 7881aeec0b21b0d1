import { createDisks, DEFAULT_LIMITS, MemoryDisk } from '@diskstack/core';
import { diskErrorOf, faultDisk } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import {
  COPIED,
  FIRST_FREE,
  L1_CLUSTER,
  L2_CLUSTER,
  qcow2Image,
  standard,
} from '../support/image-builder.ts';
import { FORMATS, openBytes, openDisk, readBytes } from '../support/open.ts';
import { diskOfReads } from '../support/sparse-disk.ts';

const CLUSTER = 4096;
const HOST = FIRST_FREE * CLUSTER;
/** Guest bytes that one L2 table of 512 entries maps. */
const COVERAGE = 512 * CLUSTER;
const content = noise(CLUSTER, 1);
const L2 = COPIED | BigInt(L2_CLUSTER * CLUSTER);

test('each L1 entry has an L2 table of its own', async () => {
  const image = qcow2Image({
    size: 3 * COVERAGE,
    l1: [0n, L2, 0n],
    l2: { 0: standard(HOST) },
    at: [[HOST, content]],
  });
  expect(await readBytes(image, COVERAGE, CLUSTER)).toEqual(content);
  expect(await readBytes(image, COVERAGE - 10, 20)).toEqual(
    Uint8Array.of(...new Uint8Array(10), ...content.slice(0, 10)),
  );
  expect(await readBytes(image, 2 * COVERAGE - 1, 2)).toEqual(new Uint8Array(2));
});

test('two L1 entries may name one L2 table', async () => {
  const image = qcow2Image({
    size: 2 * COVERAGE,
    l1: [L2, L2],
    l2: { 3: standard(HOST) },
    at: [[HOST, content]],
  });
  expect(await readBytes(image, 3 * CLUSTER, CLUSTER)).toEqual(content);
  expect(await readBytes(image, COVERAGE + 3 * CLUSTER, CLUSTER)).toEqual(content);
});

test.for([
  ['where the file ends', HOST + CLUSTER],
  ['far past the end of the file', 2 ** 50],
] as const)('an L2 table %s is lost, at its L1 entry, and the rest of the disk reads', async ([, lost]) => {
  const image = qcow2Image({
    size: 2 * COVERAGE,
    l1: [L2, BigInt(lost)],
    l2: { 0: standard(HOST) },
    at: [[HOST, content]],
  });
  await using disk = await openBytes(image);
  const error = await diskErrorOf(() => disk.read(COVERAGE, 1));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: L1_CLUSTER * CLUSTER + 8 });
  expect((await diskErrorOf(() => disk.read(COVERAGE - 5, 10))).code).toBe('ERR_TRUNCATED');
  expect(await disk.read(0, CLUSTER)).toEqual(content);
  expect(await disk.read(COVERAGE - 10, 10)).toEqual(new Uint8Array(10));
});

test('an L2 table that the end of the file cuts short is lost', async () => {
  const image = qcow2Image({ fileSize: L2_CLUSTER * CLUSTER + 4000 });
  const error = await diskErrorOf(() => readBytes(image, 0, 1));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: L1_CLUSTER * CLUSTER });
});

test('an L2 table off its alignment is corrupt, at its L1 entry', async () => {
  const image = qcow2Image({ l1: [BigInt(L2_CLUSTER * CLUSTER + 512)] });
  const error = await diskErrorOf(() => readBytes(image, 0, 1));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: L1_CLUSTER * CLUSTER });
});

test('an L1 table too small for the disk is corrupt, with both numbers', async () => {
  const error = await diskErrorOf(() => openBytes(qcow2Image({ size: COVERAGE + 1, l1: [0n] })));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 36 });
  expect(error.reason).toContain('1 entries, 2 needed');
});

test('an L1 table larger than the disk needs is good, also past the end of the file', async () => {
  const image = qcow2Image({ l2: { 0: standard(HOST) }, at: [[HOST, content]], header: { l1Size: 100_000 } });
  expect(await readBytes(image, 0, CLUSTER)).toEqual(content);
});

test.for([
  ['just so', 8 * CLUSTER],
  ['by terabytes', 2 ** 42],
] as const)('an L1 table past the end of the file %s is lost', async ([, at]) => {
  const image = qcow2Image({ fileSize: 8 * CLUSTER });
  new DataView(image.buffer).setBigUint64(40, BigInt(at));
  const error = await diskErrorOf(() => openBytes(image));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: at });
});

test.for([
  ['off its alignment', L1_CLUSTER * CLUSTER + 8],
  ['on the header', 0],
] as const)('an L1 table %s is corrupt', async ([, at]) => {
  const image = qcow2Image();
  new DataView(image.buffer).setBigUint64(40, BigInt(at));
  expect(await diskErrorOf(() => openBytes(image))).toMatchObject({ code: 'ERR_CORRUPT', offset: 40 });
});

test('an L1 table over the limit is refused by its size, and nothing is read for it', async () => {
  const image = qcow2Image({ size: 2 ** 52, header: { l1Size: 0xffff_ffff } });
  let longest = 0;
  const disk = faultDisk(new MemoryDisk(image));
  const read = disk.read.bind(disk);
  disk.read = (offset, length, io) => {
    longest = Math.max(longest, length);
    return read(offset, length, io);
  };
  const error = await diskErrorOf(() => createDisks({ formats: FORMATS }).open(disk));
  expect(error).toMatchObject({ code: 'ERR_LIMIT', offset: 36 });
  expect(error.reason).toContain('maxTableBytes');
  expect(longest).toBeLessThanOrEqual(4096);
});

test('the limit on tables is the caller’s to choose', async () => {
  const image = qcow2Image({ size: 4 * COVERAGE, l1: [0n, 0n, 0n, 0n] });
  const limits = { maxTableBytes: 31 };
  expect((await diskErrorOf(() => openBytes(image, { services: { limits } }))).code).toBe('ERR_LIMIT');
});

test('a disk of no bytes needs no L1 table', async () => {
  const image = qcow2Image({ size: 0, l1: [], fileSize: 2 * CLUSTER, header: { l1TableOffset: 0 } });
  await using disk = await openBytes(image);
  expect(disk.size()).toBe(0);
  expect(await disk.read(0, 10)).toEqual(new Uint8Array(0));
});

test.for(['synchronously', 'later'] as const)(
  'a cache of one table gives each of several readers the right one: storage that answers %s',
  async (answers) => {
    const tables = 6;
    const image = qcow2Image({
      size: tables * COVERAGE,
      l1: Array.from({ length: tables }, (_, index) => COPIED | BigInt((20 + index) * CLUSTER)),
      at: Array.from({ length: tables }, (_, index) => {
        const table = new Uint8Array(CLUSTER);
        new DataView(table.buffer).setBigUint64(0, standard((40 + index) * CLUSTER));
        return [
          [(20 + index) * CLUSTER, table],
          [(40 + index) * CLUSTER, new Uint8Array(CLUSTER).fill(index + 1)],
        ] as const;
      }).flat(),
    });
    const memory = new MemoryDisk(image, { writable: false });
    await memory.init();
    const storage =
      answers === 'synchronously'
        ? memory
        : diskOfReads(image.length, async (offset, length, io) => {
            await new Promise(setImmediate);
            return memory.read(offset, length, io);
          });
    const limits = { ...DEFAULT_LIMITS, tableCacheBytes: CLUSTER };
    await using disk = await openDisk(storage, { services: { limits } });
    const order = Array.from({ length: 120 }, (_, turn) => (turn * 7 + Math.floor(turn / 11)) % tables);
    const found = await Promise.all(order.map((index) => disk.read(index * COVERAGE, CLUSTER)));
    expect(found.map((bytes) => bytes[0])).toEqual(order.map((index) => index + 1));
    // One read over the ends of two tables each.
    for (let index = 1; index < tables; index++)
      expect([...(await disk.read(index * COVERAGE - 1, 2))]).toEqual([0, index + 1]);
  },
);
