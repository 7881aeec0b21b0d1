import { constants, deflateRawSync } from 'node:zlib';
import { deflateRaw } from 'pako';
import { describe, expect, test } from 'vitest';
import { firstDifference } from '../../src/testing/index.ts';
import { compressible, mutated, noise, numbers } from '../support/codec-content.ts';
import { join } from '../support/zstd-frames.ts';
import { CODECS, decompressed, expectContent, expectRefusal } from './codecs.ts';

const KiB = 1024;
const CLUSTER = 64 * KiB;
const content = compressible(CLUSTER);
const stream = deflateRawSync(content);
const unterminated = (bytes: Uint8Array): Uint8Array =>
  deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });

/** Streams that fill a cluster with `expected`. */
const GOOD: readonly (readonly [name: string, stored: Uint8Array, expected: Uint8Array])[] = [
  ...[9, 10, 11, 12, 13, 14, 15].flatMap((windowBits) =>
    [1, 9].map(
      (level) =>
        [
          `zlib, window bits ${windowBits}, level ${level}`,
          deflateRawSync(content, { windowBits, level }),
          content,
        ] as const,
    ),
  ),
  ...([9, 12, 15] as const).map(
    (windowBits) =>
      [`pako, window bits ${windowBits}`, deflateRaw(content, { windowBits }), content] as const,
  ),
  ['bytes that do not compress', deflateRawSync(noise(CLUSTER)), noise(CLUSTER)],
  ['a cluster of 512 bytes', deflateRawSync(content.subarray(0, 512)), content.subarray(0, 512)],
  ['a cluster of 2 MiB', deflateRawSync(compressible(2048 * KiB, 7)), compressible(2048 * KiB, 7)],
  ['fixed Huffman codes', deflateRawSync(content, { strategy: constants.Z_FIXED }), content],
  ['stored blocks', deflateRawSync(content, { level: 0 }), content],
  [
    'stored blocks that go on after the cluster',
    deflateRawSync(noise(5 * CLUSTER), { level: 0 }),
    noise(5 * CLUSTER).subarray(0, CLUSTER),
  ],
  ['padding of zeroes', join(stream, new Uint8Array(500)), content],
  ['padding of other bytes', join(stream, noise(500)), content],
  ['padding that looks like a stream', join(stream, stream), content],
  ['one byte of padding', join(stream, Uint8Array.of(0)), content],
  ['a stream without an end', unterminated(content), content],
  ['a stream without an end, padded', join(unterminated(content), new Uint8Array(99)), content],
  [
    'a stream without an end, and garbage behind it',
    join(unterminated(content), new Uint8Array(99).fill(0xff)),
    content,
  ],
  [
    'a stream that goes on for one byte',
    deflateRawSync(compressible(CLUSTER + 1)),
    compressible(CLUSTER + 1).subarray(0, CLUSTER),
  ],
  [
    'a stream that goes on for long',
    deflateRawSync(compressible(9 * CLUSTER)),
    compressible(9 * CLUSTER).subarray(0, CLUSTER),
  ],
  [
    'a stream that goes on, and is broken there',
    join(deflateRawSync(compressible(3 * CLUSTER)).subarray(0, stream.length + 3000), noise(99)),
    compressible(3 * CLUSTER).subarray(0, CLUSTER),
  ],
  ['a gigabyte of zeroes', deflateRawSync(new Uint8Array(64 * 1024 * KiB)), new Uint8Array(CLUSTER)],
];

/** Streams that do not fill a cluster. */
const BAD: readonly (readonly [name: string, stored: Uint8Array])[] = [
  ['nothing', new Uint8Array(0)],
  ['one byte', Uint8Array.of(0x4b)],
  ['zeroes', new Uint8Array(CLUSTER)],
  ['ones', new Uint8Array(CLUSTER).fill(0xff)],
  ['noise', noise(CLUSTER, 3)],
  ['an empty stream', deflateRawSync(new Uint8Array(0))],
  ['a stream of one byte too few', deflateRawSync(content.subarray(1))],
  ['a stream of one byte too few, padded', join(deflateRawSync(content.subarray(1)), new Uint8Array(512))],
  ['a stream without an end, one byte too short', unterminated(content.subarray(1))],
  ['half of a stream', stream.subarray(0, stream.length / 2)],
  ['a stream with a zlib header', join(Uint8Array.of(0x78, 0x9c), stream)],
  ['a stored block whose length is wrong', Uint8Array.of(1, 5, 0, 5, 0, 1, 2, 3, 4, 5)],
  ['a copy from before the start', Uint8Array.of(0x4b, 0x04, 0x62, 0xff, 0xff)],
];

describe.for(CODECS)('deflate, %s', ([, codecs]) => {
  const { decompress: deflate } = codecs.deflate;
  test.for(GOOD)('reads %s', ([, stored, expected]) => {
    expectContent(deflate, stored, expected);
  });

  test.for(BAD)('refuses %s', ([, stored]) => {
    expectRefusal(deflate, stored, CLUSTER);
  });

  test('does not change the stored bytes', () => {
    const stored = new Uint8Array(stream);
    decompressed(deflate, stored, CLUSTER);
    expect(firstDifference(stored, stream)).toBeUndefined();
  });

  test('takes a view of a larger buffer', () => {
    const memory = join(noise(77), stream, noise(77));
    expectContent(deflate, memory.subarray(77, 77 + stream.length), content);
  });
});

test('2,000 broken streams end in time, with the same result in both codecs', { timeout: 30_000 }, () => {
  const next = numbers(2024);
  const small = content.subarray(0, 4 * KiB);
  const seeds = [1, 6, 9]
    .map((level) => deflateRawSync(small, { level }))
    .concat([deflateRawSync(small, { level: 0 }), deflateRawSync(small, { strategy: constants.Z_FIXED })]);
  let refused = 0;
  for (let run = 0; run < 2000; run++) {
    const stored = mutated(seeds[run % seeds.length] ?? small, next);
    const [portable, zlib] = CODECS.map(([, { deflate }]) => {
      try {
        return decompressed(deflate.decompress, stored, small.length);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect(error).not.toBeInstanceOf(RangeError);
        return 'refused';
      }
    });
    expect(portable, `run ${run}`).toEqual(zlib);
    if (zlib === 'refused') refused++;
  }
  expect(refused).toBeGreaterThan(200);
  expect(refused).toBeLessThan(1990);
});
