import fc from 'fast-check';
import { expect } from 'vitest';
import { type Check, expectBytes, expectCode, numbers, type Subject } from './conformance-subject.ts';

/** Behaviours of `read`. */
export type ReadBehaviour =
  | 'wholeRead'
  | 'oddOffsets'
  | 'seams'
  | 'zeroLength'
  | 'clipping'
  | 'badArguments'
  | 'into'
  | 'splitReads'
  | 'randomReads'
  | 'concurrentReads';

/** Number of runs of a property, and a fixed seed, so that failures can be repeated. */
const PROPERTY = { seed: 0x5eed, numRuns: 60 } as const;
/** The longest range that a property reads, in bytes: enough for many clusters, and short enough for many runs. */
const LONGEST = 140_000;
/** The most boundaries of one unit that are tested. On a small disk all are tested. */
const MAX_SEAMS = 256;

/** Numbers that are not valid offsets or lengths. */
export const NOT_BYTES: readonly number[] = [-1, 0.5, -0.5, 2 ** 53, -(2 ** 53), Infinity, -Infinity, NaN];

export const READ_CHECKS: Readonly<Record<ReadBehaviour, Check>> = {
  wholeRead: {
    title: 'reads the whole disk',
    async run(subject) {
      await subject.expectUnchanged(await subject.ready());
    },
  },
  oddOffsets: {
    title: 'reads at odd offsets, of odd lengths',
    async run(subject) {
      const disk = await subject.ready();
      for (const offset of [1, 3, 7, 13, 511, 513, 1025, 4095, 4097, 65_535, 65_537]) {
        if (offset >= subject.size) break;
        for (const length of [1, 3, 7, 509, 4099, 65_539]) await subject.expectRead(disk, offset, length);
      }
    },
  },
  seams: {
    title: 'reads across every multiple of 512 bytes, 4 KiB and 64 KiB',
    async run(subject) {
      const disk = await subject.ready();
      for (const unit of [512, 4096, 65_536]) {
        for (const seam of seams(subject.size, unit)) {
          await subject.expectRead(disk, seam - 1, 1);
          await subject.expectRead(disk, seam - 1, 2);
          await subject.expectRead(disk, seam, 1);
          await subject.expectRead(disk, seam - 3, unit + 6);
        }
      }
    },
  },
  zeroLength: {
    title: 'reads nothing when asked for 0 bytes',
    async run(subject) {
      const disk = await subject.ready();
      const { size } = subject;
      for (const offset of [0, Math.floor(size / 2), Math.max(0, size - 1), size, size + 1]) {
        expect(await disk.read(offset, 0)).toHaveLength(0);
      }
    },
  },
  clipping: {
    title: 'clips at the end, and reads nothing at the end or past it',
    async run(subject) {
      const disk = await subject.ready();
      const { size } = subject;
      for (const before of [1, 2, 511, 513, 70_000]) {
        if (before > size) break;
        for (const more of [0, 1, 512, 100_000]) await subject.expectRead(disk, size - before, before + more);
      }
      await subject.expectRead(disk, 0, size + 1);
      await subject.expectRead(disk, 0, Number.MAX_SAFE_INTEGER);
      for (const offset of [size, size + 1, size + 511, size + 70_000, Number.MAX_SAFE_INTEGER]) {
        expect(await disk.read(offset, 1)).toHaveLength(0);
        expect(await disk.read(offset, 4096)).toHaveLength(0);
      }
    },
  },
  badArguments: {
    title: 'refuses negative, fractional and unsafe offsets and lengths (ERR_ARGUMENT)',
    async run(subject) {
      const disk = await subject.ready();
      for (const value of NOT_BYTES) {
        await expectCode(() => disk.read(value, 1), 'ERR_ARGUMENT');
        await expectCode(() => disk.read(0, value), 'ERR_ARGUMENT');
      }
      await subject.expectUnchanged(disk);
    },
  },
  into: {
    title: 'fills the buffer of the caller, and writes no byte outside the range',
    run: checkInto,
  },
  splitReads: {
    title: 'two adjacent reads equal one read of both ranges',
    async run(subject) {
      const disk = await subject.ready();
      const cut = fc.integer({ min: 0, max: LONGEST });
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: subject.size }), cut, cut, async (a, first, second) => {
          const left = await disk.read(a, first);
          const right = await disk.read(a + left.length, second);
          const whole = await disk.read(a, left.length + right.length);
          expectBytes(left, whole.subarray(0, left.length), a);
          expectBytes(right, whole.subarray(left.length), a + left.length);
        }),
        PROPERTY,
      );
    },
  },
  randomReads: {
    title: 'random ranges read as expected',
    async run(subject) {
      const disk = await subject.ready();
      const offset = fc.integer({ min: 0, max: subject.size + 600 });
      const length = fc.oneof(fc.integer({ min: 0, max: 1100 }), fc.integer({ min: 0, max: LONGEST }));
      await fc.assert(
        fc.asyncProperty(offset, length, (at, bytes) => subject.expectRead(disk, at, bytes)),
        PROPERTY,
      );
    },
  },
  concurrentReads: {
    title: 'answers 50 concurrent reads',
    async run(subject) {
      const disk = await subject.ready();
      const next = numbers(50);
      const reads: Promise<void>[] = [];
      for (let count = 0; count < 50; count++) {
        reads.push(subject.expectRead(disk, next(subject.size), next(count % 2 === 0 ? 1000 : 100_000)));
      }
      await Promise.all(reads);
    },
  },
};

async function checkInto(subject: Subject): Promise<void> {
  const disk = await subject.ready();
  const UNTOUCHED = 0xa5;
  const { size } = subject;
  for (const [offset, length] of [
    [0, 1],
    [1, 700],
    [Math.floor(size / 2), 5000],
    [Math.max(0, size - 3), 900],
    [size, 10],
  ] as const) {
    const expected = subject.part(offset, length);
    const before = 5;
    const backing = new Uint8Array(before + length + 64).fill(UNTOUCHED);
    const into = backing.subarray(before);
    const result = await disk.read(offset, length, { into });
    expect(result.buffer).toBe(backing.buffer);
    expect(result.byteOffset).toBe(into.byteOffset);
    expectBytes(result, expected, offset);
    const beside = [...backing.subarray(0, before), ...backing.subarray(before + expected.length)];
    expect(beside.every((byte) => byte === UNTOUCHED)).toBe(true);
    if (expected.length === 0) continue;
    const small = new Uint8Array(expected.length - 1).fill(UNTOUCHED);
    await expectCode(() => disk.read(offset, length, { into: small }), 'ERR_ARGUMENT');
    expect(small.every((byte) => byte === UNTOUCHED)).toBe(true);
  }
}

/** Multiples of `unit` inside the disk: all of them, or the first ones, the last ones and some in between. */
function seams(size: number, unit: number): number[] {
  const count = Math.floor((size - 1) / unit);
  const chosen = new Set<number>();
  for (let index = 1; index <= Math.min(count, MAX_SEAMS); index++) {
    if (count <= MAX_SEAMS) chosen.add(index);
    else if (index <= MAX_SEAMS / 4) chosen.add(index).add(count - index + 1);
    else chosen.add(1 + Math.floor((index * (count - 1)) / MAX_SEAMS));
  }
  return [...chosen].map((index) => index * unit);
}
