import { afterEach, describe, expect, it, vi } from 'vitest';

const LENGTHS = [0, 1, 3, 4, 7, 4096, 65_535, 65_536, 65_537, 131_072, 200_001];

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The function as it is loaded on a platform with `Buffer`, or without. */
async function load(hasBuffer: boolean): Promise<(a: Uint8Array, b: Uint8Array) => number> {
  vi.resetModules();
  if (!hasBuffer) vi.stubGlobal('Buffer', undefined);
  return (await import('../../src/transfer/first-difference.ts')).firstDifference;
}

/** Bytes that begin `shift` bytes into their memory. */
function bytesAt(shift: number, length: number): Uint8Array {
  return new Uint8Array(length + shift).subarray(shift).fill(0xa5);
}

describe.each([
  ['with memcmp', true],
  ['without memcmp', false],
] as const)('the first difference of two buffers, %s', (_, hasBuffer) => {
  it.each([
    [0, 0],
    [0, 1],
    [3, 2],
  ])('is found at every border, at the alignments %i and %i', async (shiftOfA, shiftOfB) => {
    const firstDifference = await load(hasBuffer);
    for (const length of LENGTHS) {
      const a = bytesAt(shiftOfA, length);
      const b = bytesAt(shiftOfB, length);
      expect(firstDifference(a, b), `${length} equal bytes`).toBe(-1);
      const places = [0, 1, 3, 4, 65_535, 65_536, 131_071, 131_072, length - 2, length - 1];
      for (const place of places.filter((index) => index >= 0 && index < length)) {
        b[place] = 0;
        b[length - 1] = 0; // a second difference later does not matter
        expect(firstDifference(a, b), `byte ${place} of ${length}`).toBe(place);
        expect(firstDifference(b, a), `byte ${place} of ${length}`).toBe(place);
        b[place] = 0xa5;
        b[length - 1] = 0xa5;
      }
    }
  });
});
