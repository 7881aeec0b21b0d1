import { expect } from 'vitest';
import type { Able } from '../contracts/abilities.ts';
import { can } from '../contracts/abilities.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { continues } from '../mapping/resolve-extents.ts';
import { type Check, expectBytes, expectCode, numbers, type Subject } from './conformance-subject.ts';

/** Behaviours of optional abilities. */
export type AbilityBehaviour = 'readInto' | 'extents' | 'extentsOfPart' | 'flush';

export const ABILITY_CHECKS: Readonly<Record<AbilityBehaviour, Check>> = {
  readInto: {
    title: 'readInto, if present, returns the same bytes as read',
    async run(subject) {
      const disk = await subject.ready();
      if (!can(disk, 'readInto')) return;
      const { size } = subject;
      const next = numbers(7);
      for (let count = 0; count < 40; count++) {
        const offset = next(size);
        const into = new Uint8Array(next(Math.min(size - offset, count % 2 === 0 ? 1000 : 200_000) + 1));
        await disk.readInto(offset, into);
        expectBytes(into, subject.part(offset, into.length), offset);
      }
      for (const offset of [size, Math.max(0, size - 1), -1, 0.5]) {
        await expectCode(() => disk.readInto(offset, new Uint8Array(2)), 'ERR_ARGUMENT');
      }
      if (size === 0) return;
      const signal = AbortSignal.abort();
      await expectCode(() => disk.readInto(0, new Uint8Array(1), { signal }), 'ERR_ABORTED');
    },
  },
  extents: {
    title: 'extents, if present, cover the disk in order and without gaps; zero extents read as zeroes',
    async run(subject) {
      const disk = await subject.ready();
      if (!can(disk, 'extents')) return;
      await expectCovered(subject, disk, 0, undefined);
      const whole = await collect(disk.extents());
      for (const [index, extent] of whole.entries()) {
        const before = whole[index - 1];
        if (before !== undefined)
          expect(continues(before, extent), `extent ${index} could be merged with the one before`).toBe(
            false,
          );
      }
    },
  },
  extentsOfPart: {
    title: 'extents of a part, if present, start and end with the part',
    async run(subject) {
      const disk = await subject.ready();
      if (!can(disk, 'extents')) return;
      const { size } = subject;
      const next = numbers(9);
      for (let count = 0; count < 25; count++) await expectCovered(subject, disk, next(size), next(size) + 1);
      await expectCovered(subject, disk, Math.floor(size / 3), undefined);
      await expectCovered(subject, disk, Math.max(0, size - 1), 4096);
      for (const [offset, length] of [
        [0, 0],
        [size, undefined],
        [size, 1],
        [size + 1, 512],
      ] as const) {
        expect(await collect(disk.extents(offset, length))).toEqual([]);
      }
      await expectCode(() => collect(disk.extents(-1)), 'ERR_ARGUMENT');
      await expectCode(() => collect(disk.extents(0, 0.5)), 'ERR_ARGUMENT');
    },
  },
  flush: {
    title: 'flush, if present, resolves and changes nothing',
    async run(subject) {
      const disk = await subject.ready();
      if (!can(disk, 'flush')) return;
      await disk.flush();
      await subject.expectUnchanged(disk);
    },
  },
};

async function expectCovered(
  subject: Subject,
  disk: Able<'extents'>,
  offset: number,
  length: number | undefined,
): Promise<void> {
  let end = offset;
  for (const extent of await collect(disk.extents(offset, length))) {
    expect(extent.offset).toBe(end);
    expect(Number.isSafeInteger(extent.length) && extent.length >= 1, `length ${extent.length}`).toBe(true);
    expect(Number.isSafeInteger(extent.depth) && extent.depth >= 0, `depth ${extent.depth}`).toBe(true);
    expect(['data', 'compressed', 'zero']).toContain(extent.kind);
    expect(extent.present || extent.kind === 'zero').toBe(true);
    if (extent.kind === 'zero') {
      expectBytes(subject.part(extent.offset, extent.length), new Uint8Array(extent.length), extent.offset);
    }
    end += extent.length;
  }
  expect(end).toBe(Math.min(subject.size, offset + (length ?? subject.size)));
}

async function collect(extents: AsyncIterable<DiskExtent>): Promise<DiskExtent[]> {
  const all: DiskExtent[] = [];
  for await (const extent of extents) all.push(extent);
  return all;
}
