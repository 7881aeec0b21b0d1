import { deflateRawSync } from 'node:zlib';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { EACH_CODEC } from '../../support/codecs.ts';
import { noise, text } from '../../support/content.ts';
import { compressedV1, qcow1Image } from '../../support/image-builder.ts';
import { memoryGate } from '../../support/memory-gate.ts';
import { infoOf, openBytes, readBytes } from '../../support/open.ts';

const CLUSTER = 4096;
const TABLE = 1000;
const HOST = 8192;
const content = noise(CLUSTER, 1);

test('L1 and L2 tables may stand at any byte', async () => {
  const image = qcow1Image({
    l1At: 61,
    tables: { 0: { at: 777, entries: { 3: BigInt(HOST) } } },
    at: [[HOST, content]],
  });
  expect(await readBytes(image, 3 * CLUSTER, CLUSTER)).toEqual(content);
});

test('clusters may stand at any sector', async () => {
  const image = qcow1Image({
    tables: { 0: { at: TABLE, entries: { 1: BigInt(HOST + 512) } } },
    at: [[HOST + 512, content]],
  });
  expect(await readBytes(image, CLUSTER, CLUSTER)).toEqual(content);
});

test('a cluster off its sector is corrupt, at its entry', async () => {
  const image = qcow1Image({
    tables: { 0: { at: TABLE, entries: { 1: BigInt(HOST + 1) } } },
    fileSize: 65536,
  });
  const error = await diskErrorOf(() => readBytes(image, CLUSTER, 1));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow', offset: TABLE + 8 });
});

test('the header says how long an L2 table is', async () => {
  const coverage = 64 * 512; // l2_bits 6, clusters of 512 bytes
  const small = noise(512, 2);
  const image = qcow1Image({
    clusterBits: 9,
    l2Bits: 6,
    size: 3 * coverage,
    tables: { 2: { at: 4096, entries: { 1: 8192n } } },
    at: [[8192, small]],
  });
  expect(await readBytes(image, 2 * coverage + 512, 512)).toEqual(small);
  expect(await readBytes(image, coverage, 512)).toEqual(new Uint8Array(512));
});

test('an unallocated cluster reads from the base', async () => {
  const base = noise(20_000, 3);
  const services = { gate: memoryGate({ base }) };
  const image = qcow1Image({
    backing: 'base',
    tables: { 0: { at: TABLE, entries: { 1: BigInt(HOST) } } },
    at: [[HOST, content]],
  });
  const want = new Uint8Array(65536);
  want.set(base);
  want.set(content, CLUSTER);
  expect(await readBytes(image, 0, 65536, { services })).toEqual(want);
});

describe.for(EACH_CODEC)('with %s', ([, services]) => {
  test('a compressed cluster has its size in bytes, and any offset', async () => {
    const words = text(CLUSTER, 4);
    const stored = deflateRawSync(words, { windowBits: 12 });
    const image = qcow1Image({
      tables: { 0: { at: TABLE, entries: { 2: compressedV1(HOST + 77, stored.length) } } },
      at: [[HOST + 77, stored]],
    });
    expect(image.length).toBe(HOST + 77 + stored.length);
    expect(await readBytes(image, 2 * CLUSTER, CLUSTER, { services })).toEqual(words);
    expect(await readBytes(image, 2 * CLUSTER + 99, 7, { services })).toEqual(words.slice(99, 106));
  });

  test('a size that cuts the stream is corrupt: bytes beyond it are not looked at', async () => {
    const stored = deflateRawSync(text(CLUSTER, 5));
    const image = qcow1Image({
      tables: { 0: { at: TABLE, entries: { 0: compressedV1(HOST, stored.length - 20) } } },
      at: [[HOST, stored]],
    });
    const error = await diskErrorOf(() => readBytes(image, 0, 1, { services }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow', offset: HOST });
  });
});

test('bit 0 is no zero flag, and bit 62 no compressed flag', async () => {
  const image = qcow1Image({ tables: { 0: { at: TABLE, entries: { 0: 1n << 62n } } } });
  expect((await diskErrorOf(() => readBytes(image, 0, 1))).code).toBe('ERR_TRUNCATED');
});

test('a lost L2 table and a lost cluster are told at their entries, and the rest reads', async () => {
  const coverage = 512 * CLUSTER;
  const image = qcow1Image({
    size: 3 * coverage,
    tables: { 0: { at: TABLE, entries: { 0: BigInt(2 ** 40), 1: BigInt(HOST) } } },
    at: [
      [HOST, content],
      [48 + 8, Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0)],
    ],
  });
  await using disk = await openBytes(image);
  expect(await diskErrorOf(() => disk.read(0, 1))).toMatchObject({ code: 'ERR_TRUNCATED', offset: TABLE });
  expect(await diskErrorOf(() => disk.read(coverage, 1))).toMatchObject({
    code: 'ERR_TRUNCATED',
    offset: 56,
  });
  expect(await disk.read(CLUSTER, CLUSTER)).toEqual(content);
  expect(await disk.read(2 * coverage, 5)).toEqual(new Uint8Array(5));
});

test('the last cluster of a file may be cut short', async () => {
  const image = qcow1Image({
    tables: { 0: { at: TABLE, entries: { 0: BigInt(HOST) } } },
    at: [[HOST, content.slice(0, 700)]],
  });
  const want = new Uint8Array(CLUSTER);
  want.set(content.slice(0, 700));
  expect(await readBytes(image, 0, CLUSTER)).toEqual(want);
});

test('an L1 table over the limit is refused: a small file asks for 2 GiB', async () => {
  const image = qcow1Image({ clusterBits: 9, l2Bits: 6, fileSize: 50_000 });
  new DataView(image.buffer).setBigUint64(24, 2n ** 43n);
  const error = await diskErrorOf(() => openBytes(image));
  expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow' });
  expect(error.reason).toContain('maxTableBytes');
});

test('an L1 table past the end of the file is truncated', async () => {
  const image = qcow1Image({ header: { l1TableOffset: 2 ** 30 } });
  expect(await diskErrorOf(() => openBytes(image))).toMatchObject({ code: 'ERR_TRUNCATED', offset: 2 ** 30 });
});

test.for([
  ['clusterBits', 8, 32],
  ['clusterBits', 17, 32],
  ['l2Bits', 5, 33],
  ['l2Bits', 14, 33],
  ['cryptMethod', 2, 36],
] as const)('%s %i is corrupt', async ([field, value, at]) => {
  const error = await diskErrorOf(() => openBytes(qcow1Image({ header: { [field]: value } })));
  expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow', offset: at });
  expect(error.reason).toContain(String(value));
});

test('AES encryption needs a key', async () => {
  const error = await diskErrorOf(() => openBytes(qcow1Image({ header: { cryptMethod: 1 } })));
  expect(error).toMatchObject({ code: 'ERR_WRONG_KEY', format: 'qcow' });
  expect(error.reason).toContain('aes');
});

test.for([
  ['backingFileOffset', 8],
  ['size', 24],
  ['l1TableOffset', 40],
] as const)('%s past 2^53 is refused by name', async ([field, at]) => {
  const image = qcow1Image();
  new DataView(image.buffer).setBigUint64(at, 2n ** 60n);
  const error = await diskErrorOf(() => openBytes(image));
  expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', offset: at });
  expect(error.reason).toContain(field);
});

test('an image cut within its header is truncated', async () => {
  const image = qcow1Image().subarray(0, 40);
  expect((await diskErrorOf(() => openBytes(image))).code).toBe('ERR_TRUNCATED');
});

test('info has the facts of version 1', async () => {
  await using disk = await openBytes(qcow1Image({ clusterBits: 9, l2Bits: 12, size: 1_000_000 }));
  expect(infoOf(disk)).toMatchObject({
    format: 'qcow',
    version: 1,
    clusterSize: 512,
    clusterSectors: 1,
    totalSectors: 1953,
    virtualSize: 1_000_000,
    backingFileName: '',
  });
});
