import { compareDisks, copyDisk, DiskError, type DiskExtent, type Io, MemoryDisk } from '@diskstack/core';
import { isZero } from '@diskstack/core/format';
import { faultDisk, patternDisk } from '@diskstack/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counting } from './support/images.ts';

type Part = readonly [length: number, kind: DiskExtent['kind']];
type Range = readonly [offset: number, length: number];

/** A disk with given extents that records its calls. Zero extents must never be read. */
class ToldDisk extends MemoryDisk {
  readonly reads: Range[] = [];
  readonly writes: Range[] = [];
  readonly #parts: readonly Part[];

  constructor(bytes: Uint8Array, parts: readonly Part[]) {
    super(bytes);
    this.#parts = parts;
  }

  override readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined {
    this.reads.push([offset, into.length]);
    return super.readInto(offset, into, io);
  }

  override write(offset: number, data: Uint8Array, io?: Io): Promise<number> {
    this.writes.push([offset, data.length]);
    return super.write(offset, data, io);
  }

  async *extents(): AsyncGenerator<DiskExtent> {
    let offset = 0;
    for (const [length, kind] of this.#parts) {
      yield { offset, length, kind, depth: 0, present: true };
      offset += length;
    }
  }
}

/** A disk of these parts: what is not zero counts upwards. */
async function told(...parts: Part[]): Promise<{ disk: ToldDisk; bytes: Uint8Array }> {
  const bytes = new Uint8Array(parts.reduce((sum, [length]) => sum + length, 0));
  let offset = 0;
  for (const [length, kind] of parts) {
    if (kind !== 'zero') bytes.set(counting(length, offset % 251), offset);
    offset += length;
  }
  const disk = new ToldDisk(bytes, parts);
  await disk.init();
  return { disk, bytes };
}

async function blank(size: number, fill = 0): Promise<{ disk: ToldDisk; bytes: Uint8Array }> {
  const bytes = new Uint8Array(size).fill(fill);
  const disk = new ToldDisk(bytes, [[size, 'data']]);
  await disk.init();
  return { disk, bytes };
}

const MiB = 1 << 20;
const parts = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.constantFrom('data', 'zero', 'compressed')),
  { minLength: 1, maxLength: 12 },
) as fc.Arbitrary<Part[]>;

it('isZero finds one bit anywhere, wherever the bytes start', () => {
  const memory = new Uint8Array(400);
  for (let start = 0; start < 9; start++) {
    for (const length of [0, 1, 3, 4, 7, 8, 31, 32, 33, 64, 100, 391]) {
      const bytes = memory.subarray(start, start + length);
      memory.fill(255);
      bytes.fill(0);
      expect(isZero(bytes)).toBe(true);
      for (let at = 0; at < length; at++) {
        bytes[at] = 128;
        if (isZero(bytes)) throw new Error(`byte ${at} of ${length} from ${start} is not seen`);
        bytes[at] = 0;
      }
    }
  }
});

describe('copyDisk', () => {
  it('copies any extents, to a target of zeroes and to one of anything', () =>
    fc.assert(
      fc.asyncProperty(parts, fc.boolean(), async (wanted, targetIsZero) => {
        const source = await told(...wanted);
        const target = await blank(source.bytes.length, targetIsZero ? 0 : 0xee);
        await copyDisk(source.disk, target.disk, { targetIsZero });
        expect(Buffer.compare(target.bytes, source.bytes)).toBe(0);
      }),
      { numRuns: 200 },
    ));

  it('never reads zero extents, and reads neighbours of data at once', async () => {
    const source = await told([5000, 'data'], [3000, 'compressed'], [100_000, 'zero'], [10, 'data']);
    const target = await blank(source.bytes.length);
    await copyDisk(source.disk, target.disk, { targetIsZero: true });
    expect(source.disk.reads).toEqual([
      [0, 8000],
      [108_000, 10],
    ]);
    expect(target.disk.writes).toEqual([
      [0, 8000],
      [108_000, 10],
    ]);
  });

  it('reads in pieces', async () => {
    const source = await told([5 * MiB + 1, 'data']);
    const target = await blank(source.bytes.length);
    await copyDisk(source.disk, target.disk);
    expect(source.disk.reads).toEqual([
      [0, 2 * MiB],
      [2 * MiB, 2 * MiB],
      [4 * MiB, MiB + 1],
    ]);
  });

  it('leaves aligned blocks of zeroes out where the target has them already', async () => {
    const source = await told([1000, 'zero'], [40_000, 'data']);
    source.bytes.fill(0, 5000, 20_000); // whole blocks: from 8192 to 16384
    const target = await blank(source.bytes.length);
    await copyDisk(source.disk, target.disk, { targetIsZero: true });
    expect(target.disk.writes).toEqual([
      [1000, 7192],
      [16_384, 24_616],
    ]);
    expect(Buffer.compare(target.bytes, source.bytes)).toBe(0);
  });

  it('takes a disk that tells nothing of its extents as data', async () => {
    const source = patternDisk(3 * MiB);
    await source.init();
    const target = await blank(3 * MiB);
    await copyDisk(source, target.disk);
    expect(Buffer.compare(target.bytes, await source.read(0, 3 * MiB))).toBe(0);
  });

  it('leaves what a longer target has behind the end, and refuses a shorter one', async () => {
    const source = await told([100, 'data']);
    const longer = await blank(200, 7);
    await copyDisk(source.disk, longer.disk);
    expect(longer.bytes.subarray(100)).toEqual(new Uint8Array(100).fill(7));
    const shorter = await blank(99);
    await expect(copyDisk(source.disk, shorter.disk)).rejects.toMatchObject({ code: 'ERR_OUT_OF_BOUNDS' });
    expect(shorter.disk.writes).toEqual([]);
  });

  it('reports what is done, up to the end', async () => {
    const source = await told([3 * MiB, 'data'], [9 * MiB, 'zero'], [5, 'data']);
    const target = await blank(source.bytes.length);
    const seen: number[] = [];
    const total = source.bytes.length;
    await copyDisk(source.disk, target.disk, {
      targetIsZero: true,
      onProgress: (progress) => {
        expect(progress.total).toBe(total);
        seen.push(progress.done);
      },
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(total);
  });

  it('works on several pieces at a time, and on no more than a few', async () => {
    const source = faultDisk(patternDisk(30 * MiB), { delayMs: 2 });
    await source.init();
    const target = faultDisk((await blank(30 * MiB)).disk, { delayMs: 2 });
    await target.init();
    await copyDisk(source, target);
    expect(source.mostInFlight).toBeGreaterThan(1);
    expect(source.mostInFlight).toBeLessThanOrEqual(4);
  });

  it.for(['read', 'write'] as const)(
    'ends with the error of a %s, and with nothing under way',
    async (what) => {
      const fault = { [what === 'read' ? 'failAt' : 'failWriteAt']: 5, delayMs: (call: number) => call % 4 };
      const source = faultDisk(patternDisk(40 * MiB), what === 'read' ? fault : {});
      const target = faultDisk((await blank(40 * MiB)).disk, what === 'write' ? fault : {});
      await source.init();
      await target.init();
      await expect(copyDisk(source, target)).rejects.toMatchObject({ code: 'ERR_IO' });
      expect([source.inFlight, target.inFlight]).toEqual([0, 0]);
      expect(target.writes).toBeLessThan(12);
    },
  );

  it('is ended by the signal, and writes nothing afterwards', async () => {
    const controller = new AbortController();
    const source = await told([40 * MiB, 'data']);
    const target = await blank(source.bytes.length);
    const copying = copyDisk(source.disk, target.disk, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(copying).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const written = target.disk.writes.length;
    expect(written).toBeLessThan(8);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(target.disk.writes).toHaveLength(written);
  });
});

describe('compareDisks', () => {
  it('finds the first byte that differs, whatever the extents', () =>
    fc.assert(
      fc.asyncProperty(parts, parts, async (partsOfA, partsOfB) => {
        const a = await told(...partsOfA);
        const b = await told(...partsOfB);
        const length = Math.max(a.bytes.length, b.bytes.length);
        let offset = 0;
        while (offset < length && (a.bytes[offset] ?? 0) === (b.bytes[offset] ?? 0)) offset++;
        expect(await compareDisks(a.disk, b.disk)).toEqual(
          offset < length
            ? { identical: false, offset }
            : { identical: true, sizesDiffer: a.bytes.length !== b.bytes.length },
        );
      }),
      { numRuns: 200 },
    ));

  it('finds one changed byte in the middle of much that is the same', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(3 * MiB - 1), fc.boolean(), async (offset, isPlain) => {
        const same = await told([MiB, 'data'], [MiB, 'data'], [MiB, 'compressed']);
        const bytes = same.bytes.slice();
        bytes[offset] = 0;
        const changed = isPlain ? new MemoryDisk(bytes) : new ToldDisk(bytes, [[3 * MiB, 'data']]);
        await changed.init();
        expect(await compareDisks(same.disk, changed)).toEqual({ identical: false, offset });
      }),
      { numRuns: 20 },
    ));

  it('reads nothing where both are zeroes, and one where one is', async () => {
    const a = await told([1000, 'zero'], [1000, 'zero'], [1000, 'data']);
    const b = await told([1000, 'zero'], [1000, 'data'], [1000, 'data']);
    b.bytes.fill(0, 1000, 2000);
    b.bytes.set(a.bytes.subarray(2000), 2000);
    expect(await compareDisks(a.disk, b.disk)).toEqual({ identical: true, sizesDiffer: false });
    expect(a.disk.reads).toEqual([[2000, 1000]]);
    expect(b.disk.reads).toEqual([
      [1000, 1000],
      [2000, 1000],
    ]);
  });

  it('lets a timer end it, also when every read is answered from memory', async () => {
    const controller = new AbortController();
    const disks = [patternDisk(2 ** 45), patternDisk(2 ** 45)] as const;
    for (const disk of disks) await disk.init();
    setTimeout(() => controller.abort(), 20);
    const comparing = compareDisks(...disks, { signal: controller.signal });
    await expect(comparing).rejects.toBeInstanceOf(DiskError);
    await expect(comparing).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });

  it('ends with the error of either disk, and with nothing under way', async () => {
    for (const which of [0, 1]) {
      const disks = [0, 1].map((index) =>
        faultDisk(patternDisk(20 * MiB), { delayMs: 1, ...(index === which && { failAt: 7 }) }),
      ) as [ReturnType<typeof faultDisk>, ReturnType<typeof faultDisk>];
      for (const disk of disks) await disk.init();
      await expect(compareDisks(...disks)).rejects.toMatchObject({ code: 'ERR_IO' });
      expect(disks.map((disk) => disk.inFlight)).toEqual([0, 0]);
    }
  });
});
