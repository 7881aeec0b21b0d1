import { expect, test, vi } from 'vitest';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { SliceDisk } from '../../src/disks/slice-disk.ts';
import { describeDiskModule, diskErrorOf, faultDisk, pattern, patternDisk } from '../../src/testing/index.ts';
import { CLUSTER, mapped, type ToyCluster, toyDisk, toyImage } from '../support/toy-format.ts';

const KINDS: readonly ToyCluster[] = [
  'data',
  'data',
  'zero',
  'base',
  'compressed',
  'data',
  'reserved',
  'compressed',
];
const PLAN = Array.from(
  { length: 45 },
  (_, index) => KINDS[(index * 5 + (index >> 3)) % KINDS.length] ?? 'zero',
);
/** Ends in the middle of a cluster, and the base in the middle of an earlier one. */
const SIZE = 44 * CLUSTER + 77;
const BASE = pattern(30 * CLUSTER + 1000, 2);
const IMAGE = toyImage(PLAN, { size: SIZE, base: BASE });
const storage = (): MemoryDisk => new MemoryDisk(IMAGE.file.slice());
const base = (): MemoryDisk => new MemoryDisk(BASE.slice(), { writable: false });

describeDiskModule('MappedDisk', {
  open: () => toyDisk(IMAGE, storage(), { base: base() }),
  expected: IMAGE.expected,
});
describeDiskModule('MappedDisk that waits for its tables', {
  open: () => toyDisk(IMAGE, storage(), { base: base(), later: () => true }),
  expected: IMAGE.expected,
});
describeDiskModule('MappedDisk that waits for some tables, on slow disks without readInto', {
  open: () => {
    const delayMs = (call: number): number => (call % 16 === 0 ? 1 : 0);
    const slowBase = faultDisk(base(), { delayMs });
    return toyDisk(IMAGE, faultDisk(storage(), { delayMs }), {
      base: slowBase,
      later: (table) => table % 2 === 1,
    });
  },
  expected: IMAGE.expected,
});

const WITHOUT_BASE = toyImage(PLAN, { size: SIZE });
describeDiskModule('MappedDisk without a base', {
  open: () => toyDisk(WITHOUT_BASE, storage()),
  expected: WITHOUT_BASE.expected,
});

const OVERLAY_PLAN = PLAN.map((_, index): ToyCluster => (index % 3 === 0 ? 'data' : 'base'));
const OVERLAY = toyImage(OVERLAY_PLAN, { size: SIZE, base: IMAGE.expected });
describeDiskModule('MappedDisk over a MappedDisk', {
  open: () =>
    toyDisk(OVERLAY, new MemoryDisk(OVERLAY.file), { base: toyDisk(IMAGE, storage(), { base: base() }) }),
  expected: OVERLAY.expected,
});

/** The last cluster of the file is cut short by 1000 bytes, which read as zeroes. */
const CUT = toyImage(['zero', 'data', 'data', 'data'], { scattered: true });
const CUT_SHORT = CUT.expected.slice().fill(0, 2 * CLUSTER - 1000, 2 * CLUSTER);
const cutFile = (bytes: number): MemoryDisk => new MemoryDisk(CUT.file.slice(0, CUT.file.length - bytes));
describeDiskModule('MappedDisk with slack', {
  open: () => toyDisk(CUT, cutFile(1000), { slack: CLUSTER }),
  expected: CUT_SHORT,
});

test('bytes past the end of the file are refused beyond the slack, with their place', async () => {
  for (const slack of [undefined, 0, 999]) {
    const disk = toyDisk(CUT, cutFile(1000), slack === undefined ? {} : { slack });
    await disk.init();
    const error = await diskErrorOf(() => disk.read(CLUSTER, CLUSTER));
    expect(error).toMatchObject({
      code: 'ERR_TRUNCATED',
      format: 'toy',
      layer: '/toy.img',
      offset: CUT.entries[1]?.at,
    });
    expect(error.reason).toContain(`${CUT.file.length}`);
    expect(error.reason).toContain(`${CUT.file.length - 1000}`);
    expect(await disk.read(2 * CLUSTER, CLUSTER)).toEqual(CUT.expected.slice(2 * CLUSTER, 3 * CLUSTER));
    await disk.close();
  }
});

test('a cluster wholly inside the slack reads as zeroes', async () => {
  const disk = toyDisk(CUT, cutFile(CLUSTER + 10), { slack: 2 * CLUSTER });
  await disk.init();
  expect(await disk.read(CLUSTER, CLUSTER)).toEqual(new Uint8Array(CLUSTER));
});

test('makes no promise if nothing has to be waited for', async () => {
  const disk = toyDisk(IMAGE, storage(), { base: base() });
  await disk.init();
  const into = new Uint8Array(SIZE);
  expect(disk.readInto(0, into)).toBeUndefined();
  expect(into).toEqual(IMAGE.expected);
});

test('reads one plain extent straight into the buffer of the caller', async () => {
  const file = storage();
  const reading = vi.spyOn(file, 'readInto');
  const plain = toyImage(['data', 'data']);
  const disk = toyDisk(plain, file);
  await disk.init();
  const into = new Uint8Array(5000);
  await disk.read(100, 5000, { into });
  expect(reading).toHaveBeenCalledTimes(1);
  expect(reading.mock.calls[0]?.[1]).toBe(into);
});

test('reports its extents, with those of its base one depth further down', async () => {
  const image = toyImage(['data', 'data', 'zero', 'reserved', 'compressed', 'base', 'base', 'base'], {
    base: BASE,
  });
  const below = toyDisk(toyImage(['zero', 'zero', 'zero', 'zero', 'zero', 'data', 'base']), storage());
  const disk = toyDisk(image, new MemoryDisk(image.file), { base: below });
  await disk.init();
  const all: DiskExtent[] = [];
  for await (const extent of disk.extents()) all.push(extent);
  const [first, , , reserved] = image.entries;
  expect(all).toEqual([
    { offset: 0, length: 2 * CLUSTER, kind: 'data', depth: 0, present: true, at: first?.at },
    { offset: 2 * CLUSTER, length: CLUSTER, kind: 'zero', depth: 0, present: true },
    { offset: 3 * CLUSTER, length: CLUSTER, kind: 'zero', depth: 0, present: true, at: reserved?.at },
    { offset: 4 * CLUSTER, length: CLUSTER, kind: 'compressed', depth: 0, present: true },
    { offset: 5 * CLUSTER, length: CLUSTER, kind: 'data', depth: 1, present: true, at: 512 },
    { offset: 6 * CLUSTER, length: CLUSTER, kind: 'zero', depth: 1, present: false },
    { offset: 7 * CLUSTER, length: CLUSTER, kind: 'zero', depth: 0, present: false },
  ]);
});

test('a transparent layer reports the holes of the disk below', async () => {
  const holed = toyDisk(toyImage(['zero', 'data', 'zero']), storage());
  const size = 3 * CLUSTER;
  const disk = mapped(holed, async () => ({
    size,
    info: { format: 'toy', virtualSize: size },
    transparent: true,
    translate(offset, length, extents) {
      extents.data(length, offset);
      return undefined;
    },
  }));
  await disk.init();
  const all: [number, number, string, number | undefined][] = [];
  for await (const { offset, length, kind, at } of disk.extents(10)) all.push([offset, length, kind, at]);
  expect(all).toEqual([
    [10, CLUSTER - 10, 'zero', 10],
    [CLUSTER, CLUSTER, 'data', CLUSTER],
    [2 * CLUSTER, CLUSTER, 'zero', 2 * CLUSTER],
  ]);
});

test('names its layers from the top down, and its chain', async () => {
  const bottom = toyDisk(IMAGE, storage());
  const onTop = toyDisk(IMAGE, new SliceDisk(toyDisk(IMAGE, storage()), 0), { base: bottom });
  expect(bottom.diskType).toBe('TOY');
  expect(onTop.diskType).toBe('TOY-TOY');
  await onTop.init();
  expect(onTop.chain()).toEqual([onTop, bottom]);
  expect(onTop.info()).toEqual({ format: 'toy', virtualSize: SIZE });
  expect(onTop.getBase()).toBe(onTop);
  expect(onTop.location).toBe('/toy.img');
});

test('closes its downstream and its base, also when one of them fails to close', async () => {
  const [below, under] = [storage(), base()];
  const disk = toyDisk(IMAGE, below, { base: under });
  await disk.init();
  vi.spyOn(under, 'close').mockRejectedValueOnce(new Error('stuck'));
  await expect(disk.close()).rejects.toThrow('stuck');
  expect(() => below.size()).toThrow('closed');
});

test('closes its downstream when it cannot be opened', async () => {
  const below = storage();
  const disk = mapped(below, async () => {
    throw new Error('not an image');
  });
  await expect(disk.init()).rejects.toThrow('not an image');
  await disk.close();
  expect(() => below.size()).toThrow('closed');
});

test('mountMode rw asks for a mapping that can write', async () => {
  const load = async () => ({
    size: 8,
    info: { format: 'toy', virtualSize: 8 },
    translate: () => undefined,
  });
  const disk = mapped(patternDisk(8), load, 'rw');
  expect(await diskErrorOf(() => disk.init())).toMatchObject({ code: 'ERR_UNSUPPORTED', format: 'toy' });
  await disk.close();
});
