import { expect, test } from 'vitest';
import { L2Entry, type L2Shape, NO_HOST } from '../../src/layout/decoded-l2-entry.ts';
import { geometry } from '../../src/layout/geometry.ts';

const STANDARD: L2Shape = { geometry: geometry(16, 8), version: 3, extended: false, external: false };
const EXTENDED: L2Shape = { geometry: geometry(16, 16), version: 3, extended: true, external: false };
const EXTERNAL: L2Shape = { ...STANDARD, external: true };
const VERSION_2: L2Shape = { ...STANDARD, version: 2 };
const NONE = { host: NO_HOST, stored: 0, allocated: 0, zeroes: 0 };

test.for([
  ['nothing', STANDARD, [0, 0], NONE, undefined],
  ['a cluster', STANDARD, [0x8000_0000, 0x0005_0000], { ...NONE, host: 0x5_0000, allocated: 1 }, undefined],
  ['a zero cluster', STANDARD, [0, 1], { ...NONE, zeroes: 1 }, undefined],
  ['a preallocated zero cluster', STANDARD, [0, 0x5_0001], { ...NONE, host: 0x5_0000, zeroes: 1 }, undefined],
  ['a compressed cluster', STANDARD, [0x4040_0000, 0x600], { ...NONE, host: 0x600, stored: 1024 }, undefined],
  ['host offset 0', STANDARD, [0x8000_0000, 0], NONE, undefined],
  ['host offset 0 of a data file', EXTERNAL, [0x8000_0000, 0], { ...NONE, host: 0, allocated: 1 }, undefined],
  ['a zero cluster of a data file', EXTERNAL, [0x8000_0000, 1], { ...NONE, zeroes: 1 }, undefined],
  [
    'sub-clusters',
    EXTENDED,
    [0, 0x5_0000, 6, 1],
    { host: 0x5_0000, stored: 0, allocated: 1, zeroes: 6 },
    undefined,
  ],
  ['an unaligned cluster', STANDARD, [0, 0x200], { ...NONE, host: 0x200, allocated: 1 }, 'unaligned'],
  ['the zero bit in version 2', VERSION_2, [0, 1], { ...NONE, zeroes: 1 }, 'zero in version 2'],
  [
    'both bits',
    EXTENDED,
    [0, 0x5_0000, 3, 1],
    { host: 0x5_0000, stored: 0, allocated: 1, zeroes: 3 },
    'contradiction',
  ],
  ['allocated nowhere', EXTENDED, [0, 0, 0, 1], { ...NONE, allocated: 1 }, 'contradiction'],
] as const)('an L2 entry: %s', ([, shape, words, want, problem]) => {
  const view = new DataView(new ArrayBuffer(16));
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word);
  const entry = new L2Entry();
  expect(entry.decode(view, 0, shape)).toBe(problem);
  expect({ ...entry }).toEqual(want);
});

test('an entry is decoded anew, whatever the object held', () => {
  const view = new DataView(new ArrayBuffer(16));
  const entry = new L2Entry();
  Object.assign(entry, { host: 7, stored: 7, allocated: 7, zeroes: 7 });
  entry.decode(view, 0, EXTENDED);
  expect({ ...entry }).toEqual(NONE);
});
