import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { noise } from '../../support/content.ts';
import {
  COPIED,
  FIRST_FREE,
  L2_CLUSTER,
  qcow2Image,
  standard,
  ZERO_FLAG,
} from '../../support/image-builder.ts';
import { memoryGate } from '../../support/memory-gate.ts';
import { openBytes, readBytes } from '../../support/open.ts';

const CLUSTER = 4096;
const HOST = FIRST_FREE * CLUSTER;
const content = noise(CLUSTER, 1);
const base = noise(16 * CLUSTER, 2);
const zeroes = new Uint8Array(CLUSTER);
const services = { gate: memoryGate({ base }) };

/** Byte of an L2 entry in the image. */
function entryAt(cluster: number): number {
  return L2_CLUSTER * CLUSTER + cluster * 8;
}

test('a standard cluster reads from its host offset, with COPIED or without', async () => {
  const image = qcow2Image({ l2: { 1: standard(HOST), 2: BigInt(HOST) }, at: [[HOST, content]] });
  expect(await readBytes(image, CLUSTER, CLUSTER)).toEqual(content);
  expect(await readBytes(image, 2 * CLUSTER, CLUSTER)).toEqual(content);
});

test('an unallocated cluster reads as zeroes without a base', async () => {
  expect(await readBytes(qcow2Image(), 3 * CLUSTER, CLUSTER)).toEqual(zeroes);
});

test('an unallocated cluster reads from the base, at the same guest offset', async () => {
  const image = qcow2Image({ backing: 'base' });
  expect(await readBytes(image, 5000, 9000, { services })).toEqual(base.slice(5000, 14_000));
});

test('COPIED with offset 0 is unallocated: only an external data file has a cluster there', async () => {
  const image = qcow2Image({ backing: 'base', l2: { 1: COPIED } });
  expect(await readBytes(image, CLUSTER, CLUSTER, { services })).toEqual(base.slice(CLUSTER, 2 * CLUSTER));
});

test('a zero cluster reads as zeroes over a base', async () => {
  const image = qcow2Image({ backing: 'base', l2: { 1: ZERO_FLAG } });
  expect(await readBytes(image, CLUSTER, CLUSTER, { services })).toEqual(zeroes);
});

test('a preallocated zero cluster reads as zeroes, and not as what stands there', async () => {
  const image = qcow2Image({ backing: 'base', l2: { 1: standard(HOST) | ZERO_FLAG }, at: [[HOST, content]] });
  expect(await readBytes(image, CLUSTER, CLUSTER, { services })).toEqual(zeroes);
});

test('a preallocated zero cluster may stand past the end of the file', async () => {
  const image = qcow2Image({ l2: { 1: standard(2 ** 40) | ZERO_FLAG } });
  expect(await readBytes(image, CLUSTER, CLUSTER)).toEqual(zeroes);
});

test('the zero flag in version 2 is corrupt, at its entry, and other clusters read', async () => {
  const image = qcow2Image({
    version: 2,
    l2: { 0: standard(HOST), 1: standard(HOST) | ZERO_FLAG },
    at: [[HOST, content]],
  });
  await using disk = await openBytes(image);
  const error = await diskErrorOf(() => disk.read(CLUSTER, 1));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: entryAt(1) });
  expect(error.reason).toContain('version 2');
  expect(await disk.read(0, CLUSTER)).toEqual(content);
});

test('a cluster off its alignment is corrupt, at its entry, and other clusters read', async () => {
  const image = qcow2Image({ l2: { 0: standard(HOST), 4: standard(HOST + 512) }, at: [[HOST, content]] });
  await using disk = await openBytes(image);
  const error = await diskErrorOf(() => disk.read(4 * CLUSTER, 1));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: entryAt(4) });
  expect(error.reason).toContain('0x4200');
  expect(await disk.read(0, CLUSTER)).toEqual(content);
});

test('the last cluster of a file may be cut short: the rest reads as zeroes', async () => {
  const image = qcow2Image({ l2: { 1: standard(HOST) }, at: [[HOST, content]], fileSize: HOST + 1000 });
  const want = content.slice();
  want.fill(0, 1000);
  expect(await readBytes(image, CLUSTER, CLUSTER)).toEqual(want);
  expect(await readBytes(image, CLUSTER + 990, 20)).toEqual(want.slice(990, 1010));
  expect(await readBytes(image, CLUSTER + 1000, 50)).toEqual(new Uint8Array(50));
  expect(await readBytes(image, 0, 16 * CLUSTER)).toHaveLength(16 * CLUSTER);
});

test('the rest of a cluster cut short is zeroes in a buffer that was used before', async () => {
  const image = qcow2Image({ l2: { 1: standard(HOST) }, at: [[HOST, content]], fileSize: HOST + 1000 });
  await using disk = await openBytes(image);
  const into = new Uint8Array(CLUSTER).fill(0xee);
  await disk.read(CLUSTER, CLUSTER, { into });
  expect(into.subarray(1000)).toEqual(new Uint8Array(CLUSTER - 1000));
});

test('a cluster cut short does not let the base shine through', async () => {
  const image = qcow2Image({
    backing: 'base',
    l2: { 1: standard(HOST) },
    at: [[HOST, content]],
    fileSize: HOST + 1000,
  });
  expect(await readBytes(image, CLUSTER + 1000, 50, { services })).toEqual(new Uint8Array(50));
});

test.for([
  ['where the file ends', HOST],
  ['far past the end of the file', 2 ** 45],
  ['past 2^53', 2 ** 55],
] as const)('a cluster %s is lost, at its entry, and other clusters read', async ([, lost]) => {
  const image = qcow2Image({
    l2: { 0: standard(L2_CLUSTER * CLUSTER), 2: standard(lost) },
    fileSize: HOST,
  });
  await using disk = await openBytes(image);
  const error = await diskErrorOf(() => disk.read(2 * CLUSTER + 5, 1));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', format: 'qcow2', offset: entryAt(2) });
  expect((await diskErrorOf(() => disk.read(0, 3 * CLUSTER))).code).toBe('ERR_TRUNCATED');
  expect((await disk.read(0, CLUSTER)).length).toBe(CLUSTER);
  expect(await disk.read(3 * CLUSTER, CLUSTER)).toEqual(zeroes);
});

test('reserved bits of an entry do not move the cluster', async () => {
  const image = qcow2Image({ l2: { 0: standard(HOST) | (0x3fn << 56n) | 0x1fen }, at: [[HOST, content]] });
  expect(await readBytes(image, 0, CLUSTER)).toEqual(content);
});

test('a base that is shorter reads as zeroes from its end on', async () => {
  const image = qcow2Image({ backing: 'short' });
  const short = { gate: memoryGate({ short: base.slice(0, 5001) }) };
  const want = new Uint8Array(3 * CLUSTER);
  want.set(base.slice(0, 5001));
  expect(await readBytes(image, 0, 3 * CLUSTER, { services: short })).toEqual(want);
  expect(await readBytes(image, 5000, 2, { services: short })).toEqual(Uint8Array.of(base[5000] ?? 0, 0));
});

test('a base that is longer does not make the disk longer', async () => {
  const image = qcow2Image({ backing: 'base', size: 2 * CLUSTER - 3 });
  expect(await readBytes(image, 0, 10 * CLUSTER, { services })).toEqual(base.slice(0, 2 * CLUSTER - 3));
});
