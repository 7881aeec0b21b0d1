import { deflateRawSync } from 'node:zlib';
import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { noise } from '../../support/content.ts';
import {
  compressed,
  FIRST_FREE,
  L2_CLUSTER,
  qcow2Image,
  standard,
  ZERO_FLAG,
} from '../../support/image-builder.ts';
import { memoryGate } from '../../support/memory-gate.ts';
import { infoOf, openBytes, readBytes } from '../../support/open.ts';

const BITS = 14;
const CLUSTER = 2 ** BITS;
const SUB = CLUSTER / 32;
const HOST = FIRST_FREE * CLUSTER;
const content = noise(CLUSTER, 1);
const base = noise(4 * CLUSTER, 2);
const services = { gate: memoryGate({ base }) };
const ALL = 0xffff_ffffn;

/** qcow2 spec, "Subcluster Allocation Bitmap": allocation in the low half, zeroes in the high one. */
function bitmap(allocation: bigint, zero = 0n): bigint {
  return (zero << 32n) | allocation;
}

function image(entries: Readonly<Record<number, readonly [bigint, bigint]>>, backing?: string): Uint8Array {
  const pick = (half: 0 | 1) =>
    Object.fromEntries(Object.entries(entries).map(([index, entry]) => [index, entry[half]]));
  return qcow2Image({
    clusterBits: BITS,
    l2: pick(0),
    bitmaps: pick(1),
    at: [[HOST, content]],
    ...(backing === undefined ? {} : { backing }),
  });
}

test('a wholly allocated cluster reads from its host offset', async () => {
  expect(await readBytes(image({ 1: [standard(HOST), bitmap(ALL)] }), CLUSTER, CLUSTER)).toEqual(content);
});

test('entries are 16 bytes, so a table maps half as much', async () => {
  const second = image({ 1: [standard(HOST), bitmap(ALL)], 3: [standard(HOST), bitmap(ALL)] });
  expect(await readBytes(second, 3 * CLUSTER, CLUSTER)).toEqual(content);
  await using disk = await openBytes(second);
  expect(infoOf(disk).specific?.data['extended-l2']).toBe(true);
});

test('each sub-cluster is allocated, zero or the base’s on its own', async () => {
  const mixed = image({ 0: [standard(HOST), bitmap(0x8000_0001n, 0x0000_0006n)] }, 'base');
  const want = base.slice(0, CLUSTER);
  want.set(content.slice(0, SUB));
  want.fill(0, SUB, 3 * SUB);
  want.set(content.slice(31 * SUB), 31 * SUB);
  expect(await readBytes(mixed, 0, CLUSTER, { services })).toEqual(want);
  expect(await readBytes(mixed, SUB - 1, 2 * SUB + 2, { services })).toEqual(
    want.slice(SUB - 1, 3 * SUB + 1),
  );
});

test('zero bits count without a host cluster', async () => {
  const zero = image({ 0: [0n, bitmap(0n, ALL)], 1: [0n, bitmap(0n, 1n)] }, 'base');
  expect(await readBytes(zero, 0, CLUSTER, { services })).toEqual(new Uint8Array(CLUSTER));
  const second = base.slice(CLUSTER, 2 * CLUSTER);
  second.fill(0, 0, SUB);
  expect(await readBytes(zero, CLUSTER, CLUSTER, { services })).toEqual(second);
});

test('bit 0 of the descriptor is no zero flag here', async () => {
  const flagged = image({ 0: [standard(HOST) | ZERO_FLAG, bitmap(ALL)], 1: [ZERO_FLAG, 0n] }, 'base');
  expect(await readBytes(flagged, 0, CLUSTER, { services })).toEqual(content);
  expect(await readBytes(flagged, CLUSTER, CLUSTER, { services })).toEqual(base.slice(CLUSTER, 2 * CLUSTER));
});

test('a compressed cluster has no sub-clusters: its bitmap is not looked at', async () => {
  const stored = deflateRawSync(content.fill(7, 0, 9000));
  const packed = qcow2Image({
    clusterBits: BITS,
    l2: { 0: compressed(HOST, stored.length, BITS) },
    bitmaps: { 0: bitmap(ALL, ALL) },
    at: [[HOST, stored]],
  });
  expect(await readBytes(packed, 0, CLUSTER)).toEqual(content);
});

test.for([
  ['allocated and zero at once', standard(HOST), bitmap(1n, 1n)],
  ['allocated and zero at once, the last one', standard(HOST), bitmap(ALL, 0x8000_0000n)],
  ['allocated without a host cluster', 0n, bitmap(0x10n)],
] as const)('a sub-cluster %s is corrupt, at its entry', async ([, entry, bits]) => {
  const bad = image({ 0: [standard(HOST), bitmap(ALL)], 2: [entry, bits] });
  await using disk = await openBytes(bad);
  const error = await diskErrorOf(() => disk.read(2 * CLUSTER, 1));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: L2_CLUSTER * CLUSTER + 2 * 16 });
  expect(await disk.read(0, CLUSTER)).toEqual(content);
});

test('allocated sub-clusters past the end of the file are lost', async () => {
  const error = await diskErrorOf(() => readBytes(image({ 1: [standard(2 ** 40), bitmap(1n)] }), CLUSTER, 1));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: L2_CLUSTER * CLUSTER + 16 });
});

test('a cluster off its alignment is corrupt', async () => {
  const error = await diskErrorOf(() => readBytes(image({ 0: [standard(HOST + 512), bitmap(ALL)] }), 0, 1));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: L2_CLUSTER * CLUSTER });
});

test('a file may end within a cluster: the sub-clusters that are cut off read as zeroes', async () => {
  const whole = image({ 0: [standard(HOST), bitmap(ALL)] });
  const want = content.slice();
  want.fill(0, 3 * SUB + 100);
  expect(await readBytes(whole.subarray(0, HOST + 3 * SUB + 100), 0, CLUSTER)).toEqual(want);
});

test('extended L2 entries need clusters of 16 KiB', async () => {
  const error = await diskErrorOf(() => openBytes(qcow2Image({ clusterBits: 13, bitmaps: {} })));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', offset: 20 });
  expect(error.reason).toContain('13');
});
