import { describe, expect, test } from 'vitest';
import { clearBits, findBit, setBits } from '../../src/bitmaps/bits.ts';
import { DirtyBits } from '../../src/bitmaps/dirty-bits.ts';
import { random } from '../support/content.ts';

/** Runs that touch are one. */
function joined(runs: Iterable<{ readonly offset: number; readonly length: number }>): number[][] {
  const all: number[][] = [];
  for (const { offset, length } of runs) {
    const last = all.at(-1);
    if (last?.[1] === offset) last[1] = offset + length;
    else all.push([offset, offset + length]);
  }
  return all;
}

describe('bits', () => {
  test('are set, cleared and found from the least significant one on', () => {
    const next = random(3);
    for (let round = 0; round < 400; round++) {
      const bytes = new Uint8Array(9);
      const model = new Array<boolean>(72).fill(false);
      for (let step = 0; step < 4; step++) {
        const from = next(72);
        const to = from + next(73 - from);
        const set = next(3) !== 0;
        const changes = model.slice(from, to).some((bit) => bit !== set);
        expect((set ? setBits : clearBits)(bytes, from, to)).toBe(changes);
        model.fill(set, from, to);
      }
      expect(
        [...bytes].flatMap((byte) => [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => ((byte >> bit) & 1) === 1)),
      ).toEqual(model);
      const from = next(72);
      for (const set of [true, false]) {
        const found = model.indexOf(set, from);
        expect(findBit(bytes, from, 72, set)).toBe(found === -1 ? 72 : found);
      }
    }
  });
});

describe('what has changed', () => {
  test.each([512, 4096, 65_536])(
    'by bits of %i bytes: whole ones, in order, and nothing else',
    (granularity) => {
      const next = random(granularity);
      for (let round = 0; round < 20; round++) {
        const units = 150_000; // five chunks
        const dirty = new DirtyBits(granularity);
        const model = new Uint8Array(units);
        expect(dirty.isEmpty).toBe(true);
        for (let step = 0; step < 6; step++) {
          const offset = next(units * granularity);
          const length =
            1 + next(Math.min(units * granularity - offset, (next(2) === 0 ? 80_000 : 5) * granularity));
          dirty.add(offset, length);
          model.fill(1, Math.floor(offset / granularity), Math.ceil((offset + length) / granularity));
        }
        const from = next(units * granularity);
        const to = from + next(units * granularity - from);
        const expected: { offset: number; length: number }[] = [];
        for (let unit = Math.floor(from / granularity); unit * granularity < to; unit++) {
          if (model[unit] === 0) continue;
          const offset = Math.max(from, unit * granularity);
          expected.push({ offset, length: Math.min(to, (unit + 1) * granularity) - offset });
        }
        expect(joined(dirty.runs(from, to))).toEqual(joined(expected));
      }
    },
  );

  test('whole chunks take no memory of their own, and are not changed by one another', () => {
    const dirty = new DirtyBits(512);
    dirty.add(0, 2 ** 37);
    dirty.add(5, 1);
    const other = new DirtyBits(512);
    other.add(2 ** 36, 1);
    expect(joined(dirty.runs(0, 2 ** 37))).toEqual([[0, 2 ** 37]]);
    expect(joined(other.runs(0, 2 ** 37))).toEqual([[2 ** 36, 2 ** 36 + 512]]);
  });
});
