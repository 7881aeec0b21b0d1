import { constants, zstdCompressSync } from 'node:zlib';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { EACH_CODEC } from '../../support/codecs.ts';
import { noise, text } from '../../support/content.ts';
import { compressed, FIRST_FREE, qcow2Image } from '../../support/image-builder.ts';
import { infoOf, openBytes, readBytes } from '../../support/open.ts';

const CLUSTER = 4096;
const HOST = FIRST_FREE * CLUSTER;
const content = text(CLUSTER, 11);

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** RFC 8878, 3.1.1.1.2: no block is longer than the window. */
const WINDOW_128K = 0x38;
const RAW_BLOCK = 0;
const RLE_BLOCK = 1;

/** RFC 8878, 3.1.1.2: three bytes, little-endian. */
function block(type: number, size: number, last: boolean): number[] {
  const header = (size << 3) | (type << 1) | (last ? 1 : 0);
  return [header & 0xff, (header >> 8) & 0xff, header >> 16];
}

/** A frame with a window descriptor, no content size and no checksum. */
function frame(window: number, ...blocks: number[]): Uint8Array {
  return Uint8Array.of(...MAGIC, 0x00, window, ...blocks);
}

function zstdImage(stored: Uint8Array): Uint8Array {
  return qcow2Image({
    header: { incompatibleFeatures: 8n, compressionType: 1 },
    l2: { 0: compressed(HOST, stored.length) },
    at: [[HOST, stored]],
  });
}

function skippable(length: number): Uint8Array {
  return Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, length, 0, 0, 0, ...noise(length, 3));
}

const withoutContentSize = { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } };

describe.for(EACH_CODEC)('with %s', ([, services]) => {
  const read = (stored: Uint8Array): Promise<Uint8Array> =>
    readBytes(zstdImage(stored), 0, CLUSTER, { services });

  test.for([
    ['one frame with a content size', zstdCompressSync(content)],
    ['a frame without a content size', zstdCompressSync(content, withoutContentSize)],
    [
      'a frame with a checksum',
      zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    ],
    ['the highest level', zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: 19 } })],
    [
      'several frames',
      Buffer.concat(
        [0, 1000, 1001].map((from, i) => zstdCompressSync(content.slice(from, [1000, 1001, 4096][i]))),
      ),
    ],
    [
      'several frames without a content size',
      Buffer.concat(
        [content.slice(0, 99), content.slice(99)].map((part) => zstdCompressSync(part, withoutContentSize)),
      ),
    ],
    ['a skippable frame before', Buffer.concat([skippable(5), zstdCompressSync(content)])],
    [
      'skippable frames between, an empty one too',
      Buffer.concat([
        zstdCompressSync(content.slice(0, 7)),
        skippable(0),
        skippable(200),
        zstdCompressSync(content.slice(7)),
      ]),
    ],
    [
      'an empty frame before',
      Buffer.concat([zstdCompressSync(new Uint8Array(0)), zstdCompressSync(content)]),
    ],
    ['a raw block', frame(WINDOW_128K, ...block(RAW_BLOCK, CLUSTER, true), ...content)],
    [
      'raw blocks, an empty one too',
      frame(
        WINDOW_128K,
        ...block(RAW_BLOCK, 96, false),
        ...content.slice(0, 96),
        ...block(RAW_BLOCK, 0, false),
        ...block(RAW_BLOCK, 4000, true),
        ...content.slice(96),
      ),
    ],
    ['a window of 2^41 bytes', frame(0xff, ...block(RAW_BLOCK, CLUSTER, true), ...content)],
    ['a window of 2 GiB', frame(0xa8, ...block(RAW_BLOCK, CLUSTER, true), ...content)],
  ] as const)('%s reads', async ([, stored]) => {
    expect(await read(stored)).toEqual(content);
  });

  test('an RLE block reads as one byte many times', async () => {
    expect(await read(frame(WINDOW_128K, ...block(RLE_BLOCK, CLUSTER, true), 0x5a))).toEqual(
      new Uint8Array(CLUSTER).fill(0x5a),
    );
  });

  test('frames are not looked at beyond a full cluster', async () => {
    const image = zstdImage(zstdCompressSync(content));
    image.fill(0xff, HOST + zstdCompressSync(content).length);
    expect(await readBytes(image, 0, CLUSTER, { services })).toEqual(content);
  });

  test.for([
    ['a declared content size larger than the cluster', zstdCompressSync(noise(CLUSTER + 1, 1))],
    [
      'a declared content size of 2^60 bytes in a few bytes',
      Uint8Array.of(...MAGIC, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, ...block(RLE_BLOCK, CLUSTER, true), 1),
    ],
    ['a frame that holds more than the cluster', zstdCompressSync(noise(CLUSTER + 1, 2), withoutContentSize)],
    [
      'an RLE block that holds more than the cluster',
      frame(WINDOW_128K, ...block(RLE_BLOCK, CLUSTER + 1, true), 7),
    ],
    ['frames that end before the cluster is full', zstdCompressSync(content.slice(1))],
    ['a frame cut short', zstdCompressSync(noise(CLUSTER, 3)).subarray(0, 1000)],
    ['a frame of a reserved block type', frame(WINDOW_128K, ...block(3, CLUSTER, true), ...content)],
    [
      'a skippable frame that ends past the cluster',
      Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff),
    ],
    ['raw deflate', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
    ['seven bytes', Uint8Array.of(...MAGIC, 0, 0, 0)],
  ] as const)('%s is corrupt, at the byte where it stands', async ([, stored]) => {
    const image = zstdImage(stored).subarray(0, HOST + stored.length);
    const error = await diskErrorOf(() => readBytes(image, 0, 1, { services }));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow2', offset: HOST });
  });
});

test('info names the compression', async () => {
  await using disk = await openBytes(zstdImage(zstdCompressSync(content)));
  expect(infoOf(disk).specific?.data['compression-type']).toBe('zstd');
});
