import { constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { deflate } from 'pako';
import { describe, expect, test } from 'vitest';
import { compressible, mutated, noise, numbers } from '../support/codec-content.ts';
import { join } from '../support/zstd-frames.ts';
import { CODECS, decompressed, expectContent, expectRefusal } from './codecs.ts';

const UNIT = 64 * 1024;
const content = compressible(UNIT);
const stream = new Uint8Array(deflateSync(content));

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = value;
  return copy;
}

const GOOD: readonly (readonly [name: string, stored: Uint8Array, expected: Uint8Array])[] = [
  ...[9, 12, 15].map(
    (windowBits) => [`window bits ${windowBits}`, deflateSync(content, { windowBits }), content] as const,
  ),
  ['pako', deflate(content), content],
  ['bytes that do not compress', deflateSync(noise(UNIT)), noise(UNIT)],
  ['a unit of one byte', deflateSync(Uint8Array.of(7)), Uint8Array.of(7)],
  ['a unit of 2 MiB', deflateSync(compressible(32 * UNIT, 7)), compressible(32 * UNIT, 7)],
  ['stored blocks', deflateSync(content, { level: 0 }), content],
  ['padding of zeroes', join(stream, new Uint8Array(500)), content],
  ['padding of other bytes', join(stream, noise(500)), content],
  ['padding that looks like a stream', join(stream, stream), content],
];

const BAD: readonly (readonly [name: string, stored: Uint8Array])[] = [
  ['nothing', new Uint8Array(0)],
  ['a header alone', stream.subarray(0, 2)],
  ['zeroes', new Uint8Array(UNIT)],
  ['noise', noise(UNIT, 3)],
  ['raw deflate', deflateRawSync(content)],
  ['gzip', gzipSync(content)],
  ['another method', changed(stream, 0, 0x79)],
  ['a wrong header check', changed(stream, 1, (stream[1] ?? 0) ^ 1)],
  ['a preset dictionary', deflateSync(content, { dictionary: Buffer.from('diskstack') })],
  ['a wrong checksum, first byte', changed(stream, stream.length - 4, (stream.at(-4) ?? 0) ^ 1)],
  ['a wrong checksum, last byte', changed(stream, stream.length - 1, (stream.at(-1) ?? 0) ^ 0x80)],
  ['no checksum', stream.subarray(0, -4)],
  ['half of a checksum', stream.subarray(0, -2)],
  ['a stream without an end', deflateSync(content, { finishFlush: constants.Z_SYNC_FLUSH })],
  ['half of a stream', stream.subarray(0, stream.length / 2)],
  ['a stream of one byte too few', deflateSync(content.subarray(1))],
  ['a stream of one byte too many', deflateSync(compressible(UNIT + 1))],
  ['64 MiB of zeroes', deflateSync(new Uint8Array(1024 * UNIT))],
];

describe.for(CODECS)('zlib, %s', ([, codecs]) => {
  const { decompress } = codecs.zlib;

  test.for(GOOD)('reads %s', ([, stored, expected]) => {
    expectContent(decompress, stored, expected);
  });

  test.for(BAD)('refuses %s, and reads the next stream', ([, stored]) => {
    expectRefusal(decompress, stored, UNIT);
    expectContent(decompress, stream, content);
  });
});

test('1,000 broken streams: every set of codecs says the same of each', () => {
  const next = numbers(1950);
  const small = content.subarray(0, 4096);
  const seeds = [0, 1, 9].map((level) => new Uint8Array(deflateSync(small, { level })));
  let refused = 0;
  for (let run = 0; run < 1000; run++) {
    const stored = mutated(seeds[run % seeds.length] ?? small, next);
    const answers = CODECS.map(([, { zlib }]) => {
      try {
        return decompressed(zlib.decompress, stored, small.length);
      } catch {
        return 'refused';
      }
    });
    for (const answer of answers) expect(answer, `run ${run}`).toEqual(answers[0]);
    if (answers[0] === 'refused') refused++;
  }
  expect(refused).toBeGreaterThan(900);
});
