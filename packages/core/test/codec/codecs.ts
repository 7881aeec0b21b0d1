import { expect } from 'vitest';
import { portableCodecs } from '../../src/codec/portable-codecs.ts';
import type { CoreCodecs, Decompress } from '../../src/contracts/codec.ts';
import { makeZlibCodecs, zlibCodecs } from '../../src/node/index.ts';
import { firstDifference } from '../../src/testing/index.ts';

const callingCodecs = makeZlibCodecs({ use: 'calls' });
for (const { deflate, zlib, zstd } of [portableCodecs, zlibCodecs, callingCodecs]) {
  for (const { decompress } of [deflate, zlib, zstd]) await decompress.ready?.();
}

/** All sets of codecs: what one takes the other one takes, and the same comes out. */
export const CODECS: readonly (readonly [name: string, codecs: CoreCodecs])[] = [
  ['portable', portableCodecs],
  ['zlib', zlibCodecs],
  ['zlib by calls', callingCodecs],
];

const EDGE = 16;
const UNTOUCHED = new Uint8Array(EDGE).fill(0xa5);

/** What comes out of a stream for a cluster of so many bytes; no byte on either side of the cluster may change. */
export function decompressed(decompress: Decompress, stored: Uint8Array, cluster: number): Uint8Array {
  const memory = new Uint8Array(cluster + 2 * EDGE).fill(0xa5);
  const into = memory.subarray(EDGE, EDGE + cluster);
  let failure: Error | undefined;
  try {
    expect(decompress(stored, into)).toBeUndefined();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    failure = error as Error;
  }
  expect(memory.subarray(0, EDGE), 'the bytes before the cluster').toEqual(UNTOUCHED);
  expect(memory.subarray(EDGE + cluster), 'the bytes behind the cluster').toEqual(UNTOUCHED);
  if (failure !== undefined) throw failure;
  return into;
}

/** The stream fills a cluster with these bytes. */
export function expectContent(decompress: Decompress, stored: Uint8Array, expected: Uint8Array): void {
  expect(firstDifference(decompressed(decompress, stored, expected.length), expected)).toBeUndefined();
}

/** The stream does not fill a cluster of so many bytes, and an `Error` says so. */
export function expectRefusal(decompress: Decompress, stored: Uint8Array, cluster: number): void {
  expect(() => decompressed(decompress, stored, cluster)).toThrow(expect.any(Error));
}
