import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { firstDifference } from '../../src/testing/index.ts';
import { compressible, mutated, numbers } from '../support/codec-content.ts';
import { compressedBlock, frame, rawBlock, repeated, rleBlock, windowOf } from '../support/zstd-frames.ts';
import { zstdInWorker } from '../support/zstd-in-worker.ts';

const CLUSTER = 4096;
const BOTH = [['portable'], ['zlib']] as const;

/**
 * Literals with a Huffman tree whose weights are in an FSE table of one symbol with all the probability. No state of the table
 * takes a bit, so a decoder that counts the bits that are left never ends.
 */
function weightsWithoutBits(): Uint8Array {
  const tree = [20, 0xf0, 0x03, ...new Array<number>(17).fill(0), 0x01];
  const literals = [...tree, 1, 1];
  const header = 2 | (10 << 4) | (literals.length << 14);
  return frame(
    { window: windowOf(17) },
    compressedBlock([header & 255, (header >> 8) & 255, header >> 16, ...literals, 0], true),
  );
}

/** So many sequences, each of which copies 128 KiB by tables of one symbol: 13 bytes that ask for gigabytes. */
function sequencesWithoutBits(count: number): Uint8Array {
  const rest = count - 0x7f00;
  return frame(
    { window: windowOf(17) },
    compressedBlock([0, 255, rest & 255, rest >> 8, 0x54, 35, 0, 52, 1], true),
  );
}

/** As a compressor that flushes after every few bytes writes it: valid, and large for what it is. */
function smallBlocks(count: number): Uint8Array {
  return frame({ window: windowOf(21) }, repeated(rleBlock(7, 4), count), rawBlock(new Uint8Array(0), true));
}

test.for(BOTH)('%s: Huffman weights that take no bits are refused', async ([codecs]) => {
  const answers = await zstdInWorker({ codecs, stored: [weightsWithoutBits()], cluster: CLUSTER });
  expect(answers).toEqual([{ refusal: expect.any(String), isError: true }]);
});

test.for(BOTH)('%s: sequences that copy more than a block holds are refused', async ([codecs]) => {
  const answers = await zstdInWorker({
    codecs,
    stored: [sequencesWithoutBits(0x7f00 + 0xffff)],
    cluster: CLUSTER,
  });
  expect(answers).toEqual([{ refusal: expect.any(String), isError: true }]);
});

test.for(BOTH)('%s: a frame of very many small blocks is read in time', async ([codecs]) => {
  const [answer] = await zstdInWorker({ codecs, stored: [smallBlocks(500_000)], cluster: 2_000_000 });
  expect(answer).toBeDefined();
  const bytes = answer !== undefined && 'bytes' in answer ? answer.bytes : new Uint8Array(0);
  expect(firstDifference(bytes, new Uint8Array(2_000_000).fill(7))).toBeUndefined();
});

test.for(BOTH)('%s: a wrong checksum is refused', async ([codecs]) => {
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  const stored = new Uint8Array(zstdCompressSync(compressible(CLUSTER), { params }));
  stored[stored.length - 1] = (stored.at(-1) ?? 0) ^ 1;
  const answers = await zstdInWorker({ codecs, stored: [stored], cluster: CLUSTER });
  expect(answers).toEqual([{ refusal: expect.any(String), isError: true }]);
});

/** Broken frames, the same in every run. */
function brokenFrames(count: number): Uint8Array[] {
  const next = numbers(77);
  const content = compressible(CLUSTER);
  const seeds = [1, 3, 9, 19].flatMap((level) =>
    [0, 1].map((checksum) =>
      zstdCompressSync(content, {
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: checksum,
        },
        ...(level === 3 && { pledgedSrcSize: CLUSTER }),
      }),
    ),
  );
  return Array.from({ length: count }, (_, run) => mutated(seeds[run % seeds.length] ?? content, next));
}

test.for(BOTH)(
  '%s: 2,000 broken frames end in time, each read or refused with an Error',
  async ([codecs]) => {
    const stored = brokenFrames(2000);
    const answers = await zstdInWorker({ codecs, stored, cluster: CLUSTER });
    expect(answers).toHaveLength(stored.length);
    const refusals = answers.filter((answer) => 'refusal' in answer);
    expect(refusals.filter(({ isError }) => !isError)).toEqual([]);
    expect(refusals.length).toBeGreaterThan(500);
    expect(refusals.length).toBeLessThan(2000);
  },
);

/** Both answers to each frame. zlib forgives a Huffman stream that does not end where it should. */
async function answersToBroken() {
  const stored = brokenFrames(2000);
  const [portable, zlib] = await Promise.all(
    BOTH.map(([codecs]) => zstdInWorker({ codecs, stored, cluster: CLUSTER })),
  );
  return stored.map((_, run) => ({ run, portable: portable?.[run], zlib: zlib?.[run] }));
}

test('both codecs read the same bytes from broken frames', async () => {
  const answers = await answersToBroken();
  const both = answers.filter(({ portable = {}, zlib = {} }) => 'bytes' in portable && 'bytes' in zlib);
  expect(both.length).toBeGreaterThan(10);
  const other = both.filter(({ portable, zlib }) => JSON.stringify(portable) !== JSON.stringify(zlib));
  expect(other.map(({ run }) => run)).toEqual([]);
});

test('the portable codec refuses every broken frame that zlib refuses', async () => {
  const taken = (await answersToBroken()).flatMap(({ portable = {}, zlib = {} }) =>
    'bytes' in portable && 'refusal' in zlib ? [zlib.refusal] : [],
  );
  expect(taken, [...new Set(taken)].join(', ')).toHaveLength(0);
});
