import { constants, deflateRawSync } from 'node:zlib';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { EACH_CODEC } from '../../support/codecs.ts';
import { noise, text } from '../../support/content.ts';
import { compressed, FIRST_FREE, L2_CLUSTER, qcow2Image, standard } from '../../support/image-builder.ts';
import { openBytes, readBytes } from '../../support/open.ts';

const CLUSTER = 4096;
const HOST = FIRST_FREE * CLUSTER;
const content = text(CLUSTER, 1);
const stream = deflateRawSync(content, { windowBits: 12 });

/** One compressed cluster, guest cluster 0, and nothing else. */
function imageOf(stored: Uint8Array, at = HOST): Uint8Array {
  return qcow2Image({ l2: { 0: compressed(at, stored.length) }, at: [[at, stored]] });
}

describe.for(EACH_CODEC)('with %s', ([, services]) => {
  const read = (image: Uint8Array, offset = 0, length = CLUSTER): Promise<Uint8Array> =>
    readBytes(image, offset, length, { services });

  test('a compressed cluster reads as what was compressed', async () => {
    expect(await read(imageOf(stream))).toEqual(content);
  });

  test('a part of a compressed cluster reads from anywhere in it', async () => {
    expect(await read(imageOf(stream), 1001, 77)).toEqual(content.slice(1001, 1078));
    expect(await read(imageOf(stream), 4095, 1)).toEqual(content.slice(4095));
  });

  test('a stream may begin at any byte and cross into the next host cluster', async () => {
    expect(await read(imageOf(stream, HOST + CLUSTER - 7))).toEqual(content);
  });

  test('a stream may end with the file, unpadded', async () => {
    const image = imageOf(stream, HOST + 13);
    const cut = image.subarray(0, HOST + 13 + stream.length);
    expect(cut.length % 512).not.toBe(0);
    expect(await read(cut)).toEqual(content);
  });

  test('two streams may share a host sector', async () => {
    const [first, second] = [text(CLUSTER, 2), text(CLUSTER, 3)];
    const streams = [deflateRawSync(first), deflateRawSync(second)] as const;
    const secondAt = HOST + streams[0].length;
    const image = qcow2Image({
      l2: { 0: compressed(HOST, streams[0].length), 1: compressed(secondAt, streams[1].length) },
      at: [
        [HOST, streams[0]],
        [secondAt, streams[1]],
      ],
    });
    expect(secondAt % 512).not.toBe(0);
    expect(await read(image)).toEqual(first);
    expect(await read(image, CLUSTER)).toEqual(second);
    expect(await read(image, CLUSTER - 100, 200)).toEqual(
      Uint8Array.of(...first.slice(-100), ...second.slice(0, 100)),
    );
  });

  test('two guest clusters may share one stream', async () => {
    const entry = compressed(HOST, stream.length);
    const image = qcow2Image({ l2: { 0: entry, 5: entry }, at: [[HOST, stream]] });
    expect(await read(image)).toEqual(content);
    expect(await read(image, 5 * CLUSTER)).toEqual(content);
  });

  test('a stream of stored blocks may be longer than a cluster', async () => {
    const incompressible = noise(CLUSTER, 4);
    const stored = deflateRawSync(incompressible, { level: 0 });
    expect(stored.length).toBeGreaterThan(CLUSTER);
    expect(await read(imageOf(stored, HOST + 511))).toEqual(incompressible);
  });

  test('a stream made with a window of 32 KiB reads', async () => {
    const half = noise(30_000, 5);
    const far = new Uint8Array(65536);
    far.set(half);
    far.set(half, half.length);
    const stored = deflateRawSync(far, { windowBits: 15 });
    expect(stored.length).toBeLessThan(40_000); // so the second half is matches, 30000 bytes back
    const at = FIRST_FREE * 65536;
    const image = qcow2Image({
      clusterBits: 16,
      l2: { 0: compressed(at, stored.length, 16) },
      at: [[at, stored]],
    });
    expect(await read(image, 0, 65536)).toEqual(far);
  });

  test('a stream that goes on is cut when the cluster is full', async () => {
    const overlong = deflateRawSync(Uint8Array.of(...content, ...noise(3000, 6)));
    expect(await read(imageOf(overlong))).toEqual(content);
  });

  test('a stream without an end is good when it fills the cluster', async () => {
    const unended = deflateRawSync(content, { finishFlush: constants.Z_SYNC_FLUSH });
    expect(await read(imageOf(unended))).toEqual(content);
  });

  test('a stream that would blow up to 64 MiB gives one cluster', async () => {
    const bomb = deflateRawSync(new Uint8Array(64 * 2 ** 20)).subarray(0, 8192);
    expect(await read(imageOf(bomb))).toEqual(new Uint8Array(CLUSTER));
  });

  test('what stands after a stream is not looked at', async () => {
    const image = imageOf(stream);
    image.fill(0xff, HOST + stream.length);
    expect(await read(image)).toEqual(content);
  });

  test.for([
    ['garbage', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['zeroes', new Uint8Array(512)],
    ['a stream that ends before the cluster is full', deflateRawSync(content.slice(0, 4095))],
    ['a stream cut short by the end of the file', stream.subarray(0, 200)],
    ['a stream with a zlib header', Uint8Array.of(0x78, 0x9c, ...stream)],
  ] as const)('%s is corrupt, at the byte where it stands', async ([, stored]) => {
    const at = HOST + 3;
    const image = imageOf(stored, at).subarray(0, at + stored.length);
    const error = await diskErrorOf(() => read(image));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow2', offset: at });
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('other clusters of an image with a broken one still read', async () => {
    const image = qcow2Image({
      l2: {
        0: compressed(HOST, 9),
        1: standard(HOST + CLUSTER),
        2: compressed(HOST + 2 * CLUSTER, stream.length),
      },
      at: [
        [HOST, new Uint8Array(9).fill(0xff)],
        [HOST + CLUSTER, content],
        [HOST + 2 * CLUSTER, stream],
      ],
    });
    await using disk = await openBytes(image, { services });
    expect((await diskErrorOf(() => disk.read(0, 10))).code).toBe('ERR_CORRUPT');
    expect((await diskErrorOf(() => disk.read(0, 3 * CLUSTER))).code).toBe('ERR_CORRUPT');
    expect(await disk.read(CLUSTER, CLUSTER)).toEqual(content);
    expect(await disk.read(2 * CLUSTER, CLUSTER)).toEqual(content);
  });

  test('a disk may end within a compressed cluster', async () => {
    const image = qcow2Image({
      size: 1000,
      l2: { 0: compressed(HOST, stream.length) },
      at: [[HOST, stream]],
    });
    expect(await read(image)).toEqual(content.slice(0, 1000));
  });
});

test('clusters of 512 bytes have one bit for the size, bit 61', async () => {
  const small = noise(512, 7);
  const stored = deflateRawSync(small, { level: 0 });
  expect(stored.length).toBe(517); // two sectors from a sector's start on
  const at = FIRST_FREE * 512;
  const entry = compressed(at, stored.length, 9);
  expect(entry >> 61n).toBe(3n);
  const image = qcow2Image({ clusterBits: 9, l2: { 1: entry }, at: [[at, stored]] });
  expect(await readBytes(image, 512, 512)).toEqual(small);
});

test('a stream that begins past the end of the file is lost', async () => {
  const image = qcow2Image({ l2: { 0: compressed(2 ** 40, 100) } });
  const error = await diskErrorOf(() => readBytes(image, 0, 1));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: 2 ** 40 });
});

test('an offset of a stream beyond 2^53 is lost, and not rounded into the file', async () => {
  const image = qcow2Image({ clusterBits: 9, l2: { 0: (1n << 62n) | (1n << 60n) | BigInt(L2_CLUSTER) } });
  expect((await diskErrorOf(() => readBytes(image, 0, 1))).code).toBe('ERR_TRUNCATED');
});
