import { constants, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { firstDifference } from '../../src/testing/index.ts';
import { compressible, noise } from '../support/codec-content.ts';
import {
  compressedBlock,
  frame,
  join,
  MAGIC,
  rawBlock,
  repeated,
  rleBlock,
  skippableFrame,
  windowOf,
} from '../support/zstd-frames.ts';
import { CODECS, decompressed, expectContent, expectRefusal } from './codecs.ts';

const KiB = 1024;
const CLUSTER = 64 * KiB;
const content = compressible(CLUSTER);
const {
  ZSTD_c_checksumFlag: CHECKSUM,
  ZSTD_c_compressionLevel: LEVEL,
  ZSTD_c_contentSizeFlag: CONTENT_SIZE,
  ZSTD_c_windowLog: WINDOW_LOG,
} = constants;

function compressed(
  bytes: Uint8Array,
  params: Readonly<Record<number, number>> = {},
  tellSize = true,
): Uint8Array<ArrayBuffer> {
  const size = tellSize ? { pledgedSrcSize: bytes.length } : {};
  return new Uint8Array(zstdCompressSync(bytes, { params, ...size }));
}

const stored = compressed(content);
const half = CLUSTER / 2;
const [first, second] = [content.subarray(0, half), content.subarray(half)];
const withoutSize = compressed(content, { [CONTENT_SIZE]: 0 }, false);

/** A frame with a window descriptor, with that descriptor changed. */
function withWindow(bytes: Uint8Array, descriptor: number): Uint8Array {
  const changed = bytes.slice();
  changed[5] = descriptor;
  return changed;
}

/** Frames that fill a cluster with `expected`. */
const GOOD: readonly (readonly [name: string, stored: Uint8Array, expected: Uint8Array])[] = [
  ...[-5, 1, 3, 9, 16, 19].map(
    (level) => [`level ${level}`, compressed(content, { [LEVEL]: level }), content] as const,
  ),
  ['no declared content size', withoutSize, content],
  ['a checksum', compressed(content, { [CHECKSUM]: 1 }), content],
  ['a checksum and no declared content size', compressed(content, { [CHECKSUM]: 1 }, false), content],
  ['a small window', compressed(content, { [WINDOW_LOG]: 10 }, false), content],
  ['bytes that do not compress', compressed(noise(CLUSTER)), noise(CLUSTER)],
  ['zeroes', compressed(new Uint8Array(CLUSTER)), new Uint8Array(CLUSTER)],
  ['a cluster of 512 bytes', compressed(content.subarray(0, 512)), content.subarray(0, 512)],
  ['a cluster of 2 MiB', compressed(compressible(2048 * KiB, 7)), compressible(2048 * KiB, 7)],
  [
    'a cluster of 2 MiB, level 19',
    compressed(compressible(2048 * KiB, 7), { [LEVEL]: 19 }, false),
    compressible(2048 * KiB, 7),
  ],
  ['padding of zeroes', join(stored, new Uint8Array(500)), content],
  ['padding of other bytes', join(stored, noise(500)), content],
  ...[1, 2, 3, 4, 7, 8, 9].map(
    (count) => [`${count} bytes of padding`, join(stored, new Uint8Array(count)), content] as const,
  ),
  ['padding behind a checksum', join(compressed(content, { [CHECKSUM]: 1 }), new Uint8Array(99)), content],
  ['a frame more than fits', join(stored, stored), content],
  ['two frames', join(compressed(first), compressed(second)), content],
  ['two frames, padded', join(compressed(first), compressed(second), new Uint8Array(99)), content],
  [
    'three frames, one of them empty',
    join(compressed(first), compressed(new Uint8Array(0)), compressed(second)),
    content,
  ],
  ['a skippable frame before', join(skippableFrame(100), stored), content],
  ['an empty skippable frame before', join(skippableFrame(0), stored), content],
  [
    'skippable frames before, between and behind',
    join(
      skippableFrame(5, 15),
      compressed(first),
      skippableFrame(1, 7),
      skippableFrame(0),
      compressed(second),
      skippableFrame(9),
    ),
    content,
  ],
  [
    'a raw block',
    frame({ window: windowOf(17) }, rawBlock(content.subarray(0, 1000), true)),
    content.subarray(0, 1000),
  ],
  [
    'an RLE block',
    frame({ window: windowOf(17) }, rleBlock(0x42, 1000, true)),
    new Uint8Array(1000).fill(0x42),
  ],
  [
    'raw and RLE blocks',
    frame(
      { window: windowOf(17) },
      rawBlock(content.subarray(0, 500)),
      rleBlock(7, 12),
      rawBlock(content.subarray(0, 3), true),
    ),
    join(content.subarray(0, 500), new Uint8Array(12).fill(7), content.subarray(0, 3)),
  ],
  [
    'an empty last block',
    frame({ window: windowOf(17) }, rleBlock(7, 100), rawBlock(new Uint8Array(0), true)),
    new Uint8Array(100).fill(7),
  ],
  [
    'a block of 128 KiB',
    frame({ window: windowOf(17) }, rleBlock(7, 128 * KiB, true)),
    new Uint8Array(128 * KiB).fill(7),
  ],
  ['a single segment', frame({ contentSize: 100 }, rleBlock(7, 100, true)), new Uint8Array(100).fill(7)],
  [
    'a content size in 8 bytes',
    frame({ window: windowOf(10), contentSize: 100 }, rleBlock(7, 100, true)),
    new Uint8Array(100).fill(7),
  ],
  ...[0x78, 0x80, 0xa8, 0xb7, 0xf8, 0xff].map(
    (descriptor) =>
      [
        `the window descriptor 0x${descriptor.toString(16)}`,
        withWindow(withoutSize, descriptor),
        content,
      ] as const,
  ),
  [
    'a window of 3.75 TiB for one byte',
    frame({ window: 0xff }, rawBlock(Uint8Array.of(9), true)),
    Uint8Array.of(9),
  ],
];

/** Frames that do not fill a cluster. */
const BAD: readonly (readonly [name: string, stored: Uint8Array])[] = [
  ['nothing', new Uint8Array(0)],
  ['a magic number alone', Uint8Array.of(...MAGIC)],
  ['zeroes', new Uint8Array(CLUSTER)],
  ['ones', new Uint8Array(CLUSTER).fill(0xff)],
  ['noise', noise(CLUSTER, 3)],
  ['an empty frame', compressed(new Uint8Array(0))],
  ['a skippable frame alone', skippableFrame(100)],
  ['a skippable frame that ends past the cluster', join(skippableFrame(10, 0, 0xffff_ffff), stored)],
  ['one byte too few', compressed(content.subarray(1))],
  ['one byte too few, padded', join(compressed(content.subarray(1)), new Uint8Array(99))],
  [
    'one byte too few, and a magic number behind it',
    join(compressed(content.subarray(1)), Uint8Array.of(...MAGIC)),
  ],
  ['a declared content size of one byte more', compressed(compressible(CLUSTER + 1))],
  [
    'a declared content size of 4 GiB',
    frame({ window: windowOf(17), contentSize: 2 ** 32 }, rleBlock(7, 100, true)),
  ],
  [
    'a declared content size of 2^63',
    frame({ window: windowOf(17), contentSize: 2 ** 63 }, rleBlock(7, 100, true)),
  ],
  ['one byte too many', compressed(compressible(CLUSTER + 1), {}, false)],
  [
    'a second frame of one byte too many',
    join(compressed(first), compressed(join(second, noise(1)), {}, false)),
  ],
  ['a block of the reserved type', frame({ window: windowOf(17) }, Uint8Array.of(7, 0, 0))],
  ['a compressed block of nothing', frame({ window: windowOf(17) }, compressedBlock([], true))],
  [
    'a copy from before the start',
    frame({ window: windowOf(17) }, compressedBlock([0x08, 0x41, 1, 0x54, 0, 20, 0, 0xff, 0x8f], true)),
  ],
  ['an old magic number', join(Uint8Array.of(0x27, 0xb5, 0x2f, 0xfd), stored.subarray(4))],
  ['no last block', frame({ window: windowOf(17) }, rleBlock(7, CLUSTER - 1))],
];

describe.for(CODECS)('zstd, %s', ([, codecs]) => {
  const { decompress: zstd } = codecs.zstd;
  test.for(GOOD)('reads %s', ([, bytes, expected]) => {
    expectContent(zstd, bytes, expected);
  });

  test.for(BAD)('refuses %s', ([, bytes]) => {
    expectRefusal(zstd, bytes, CLUSTER);
  });

  test('refuses a frame that is cut off at any byte', () => {
    const small = compressed(content.subarray(0, 2000), { [CHECKSUM]: 1 });
    for (let length = 0; length < small.length; length++)
      expectRefusal(zstd, small.subarray(0, length), 2000);
    expectContent(zstd, small, content.subarray(0, 2000));
  });

  test('refuses an RLE bomb as soon as the cluster is full', () => {
    const blocks = repeated(rleBlock(7, 128 * KiB), 100_000);
    const bomb = frame({ window: windowOf(21) }, blocks, rleBlock(7, 1, true));
    expectRefusal(zstd, bomb, CLUSTER); // 12 GiB, told in 400 KB
  });

  test('does not change the stored bytes', () => {
    const bytes = withWindow(withoutSize, 0xff);
    const copy = bytes.slice();
    decompressed(zstd, bytes, CLUSTER);
    expect(firstDifference(bytes, copy)).toBeUndefined();
  });

  test('takes a view of a larger buffer', () => {
    const memory = join(noise(77), stored, noise(77));
    expectContent(zstd, memory.subarray(77, 77 + stored.length), content);
  });

  test('refuses a frame that holds other than the declared content size', () => {
    expectRefusal(zstd, frame({ contentSize: 99 }, rleBlock(7, 100, true)), 100);
    expectRefusal(zstd, frame({ window: windowOf(17), contentSize: 99 }, rleBlock(7, 100, true)), 100);
  });

  test('refuses a cluster of very many empty frames early', () => {
    const empty = frame({ contentSize: 0 }, rawBlock(new Uint8Array(0), true));
    const many = repeated(empty, 200_000);
    expectRefusal(zstd, many, 2048 * KiB);
  });
});
