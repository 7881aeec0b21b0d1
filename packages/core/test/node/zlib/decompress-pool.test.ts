import { deflateRawSync, deflateSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DecompressJob } from '../../../src/contracts/codec.ts';
import { makeZlibCodecs } from '../../../src/node/index.ts';
import { compressible, noise } from '../../support/codec-content.ts';

const CLUSTER = 64 * 1024;
/** More than it takes until threads are started. */
const ROUNDS = 40;

/** Twelve clusters, each with content of its own, of which `broken` do not decompress. */
function batch(compress: (bytes: Uint8Array) => Uint8Array, seed: number, broken: readonly number[] = []) {
  const expected = Array.from({ length: 12 }, (_, index) =>
    index % 4 === 3 ? noise(CLUSTER) : compressible(CLUSTER, seed + index),
  );
  const jobs = expected.map((bytes, index): DecompressJob => {
    const stored = broken.includes(index) ? new Uint8Array(100).fill(0xff) : compress(bytes);
    return { stored, into: new Uint8Array(CLUSTER) };
  });
  return { expected, jobs };
}

describe.each([
  ['deflate', (bytes: Uint8Array) => new Uint8Array(deflateRawSync(bytes))],
  ['zlib', (bytes: Uint8Array) => new Uint8Array(deflateSync(bytes))],
  ['zstd', (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes))],
] as const)('%s on several threads', (name, compress) => {
  const { decompress } = makeZlibCodecs({ threads: 2 })[name];

  test('returns the bytes of every stream, and reports the broken ones', async () => {
    await decompress.ready?.();
    const together = decompress.together ?? expect.fail('there is no pool');
    for (let round = 0; round < ROUNDS; round++) {
      const broken = round % 5 === 4 ? [round % 12, (round * 7 + 3) % 12] : [];
      const [one, two] = [batch(compress, round, broken), batch(compress, round + 100)];
      const [failures, none] = await Promise.all([together(one.jobs), together(two.jobs)]); // two requests at a time
      expect(none).toEqual(new Array(12).fill(undefined));
      for (const [index, { into }] of two.jobs.entries()) expect(into).toEqual(two.expected[index]);
      for (const [index, { into }] of one.jobs.entries()) {
        if (broken.includes(index)) expect(failures[index]).toMatch(/./);
        else expect(into).toEqual(one.expected[index]);
      }
      expect(failures.filter((failure) => failure !== undefined)).toHaveLength(new Set(broken).size);
      await new Promise((resolve) => setTimeout(resolve, 2)); // threads report that they are there
    }
  });
});

test('without threads there is nothing to do together', async () => {
  const { decompress } = makeZlibCodecs({ threads: 0 }).deflate;
  await decompress.ready?.();
  expect(decompress.together).toBeUndefined();
});
