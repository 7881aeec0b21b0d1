import { describe, expect, test } from 'vitest';
import { type Abilities, type Ability, can } from '../../src/contracts/abilities.ts';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import { CachedDisk } from '../../src/disks/cached-disk.ts';
import { defineDisk } from '../../src/disks/define-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { passThrough } from '../../src/disks/pass-through.ts';
import { diskErrorOf, pattern } from '../../src/testing/index.ts';

const SIZE = 64 * 1024;

/** Every ability that the contract has: a new one that a filter forgets fails to compile here. */
const ABILITIES: Readonly<Record<Ability, 'range' | 'layer' | 'place'>> = {
  readInto: 'range',
  extents: 'range',
  flush: 'range',
  discard: 'range',
  writeZeroes: 'range',
  cloneFrom: 'layer',
  writeCompressed: 'layer',
  resize: 'layer',
  snapshots: 'layer',
  repair: 'layer',
  changeBacking: 'layer',
  amend: 'layer',
  bitmapStore: 'layer',
  chain: 'layer',
  info: 'layer',
  check: 'layer',
  bitmaps: 'layer',
  bitmapExtents: 'layer',
  downstream: 'place',
  location: 'place',
};

const names = (kind: string): Ability[] =>
  Object.entries(ABILITIES).flatMap(([name, of]) => (of === kind ? [name as Ability] : []));

/** A disk with every ability. It notes the calls that change something. */
function ableDisk(calls: unknown[][] = []): DiskModule {
  const disk = new MemoryDisk(pattern(SIZE), { location: '/disk' });
  const note =
    (name: string) =>
    async (...args: readonly unknown[]): Promise<void> => {
      calls.push([name, ...args.slice(0, 2)]);
    };
  const abilities: Partial<Record<Ability, unknown>> = {
    extents: async function* (offset = 0, length = SIZE) {
      yield { offset, length, kind: 'data', depth: 0, present: true, at: offset } as const;
    },
    flush: note('flush'),
    discard: note('discard'),
    writeZeroes: note('writeZeroes'),
    cloneFrom: note('cloneFrom'),
    writeCompressed: note('writeCompressed'),
    repair: note('repair'),
    changeBacking: note('changeBacking'),
    amend: note('amend'),
    check: note('check'),
    snapshots: {},
    bitmapStore: {},
    chain: () => [disk],
    info: () => ({ format: 'toy' }),
    bitmaps: () => [],
    bitmapExtents: async function* () {},
    downstream: new MemoryDisk(new Uint8Array(1)),
  };
  return Object.assign(disk, abilities as Partial<Abilities>);
}

describe('a filter', () => {
  test('that shifts nothing keeps every ability', async () => {
    await using filter = passThrough(ableDisk());
    await filter.init();
    for (const ability of Object.keys(ABILITIES) as Ability[])
      expect(can(filter, ability), ability).toBe(true);
  });

  test('that shifts keeps the abilities of ranges, shifted', async () => {
    const calls: unknown[][] = [];
    await using filter = passThrough(ableDisk(calls), { start: 1000, length: 5000 });
    await filter.init();
    for (const ability of [...names('range'), ...names('place')])
      expect(can(filter, ability), ability).toBe(true);
    for (const ability of names('layer')) expect(can(filter, ability), ability).toBe(false);
    const shifted = filter as DiskModule & Abilities;
    await shifted.discard(10, 20);
    await shifted.writeZeroes(4000, 1000);
    expect(calls).toEqual([
      ['discard', 1010, 20],
      ['writeZeroes', 5000, 1000],
    ]);
    expect((await diskErrorOf(() => shifted.discard(4500, 1000))).code).toBe('ERR_OUT_OF_BOUNDS');
    for await (const extent of shifted.extents(100, 50))
      expect(extent).toMatchObject({ offset: 100, length: 50, at: 1100 });
  });

  test('with a layer name of its own reports nothing about the layer below', async () => {
    await using filter = passThrough(ableDisk(), { diskType: 'LVM2' });
    for (const ability of ['info', 'chain', 'check', 'repair', 'bitmaps', 'downstream'] as const)
      expect(can(filter, ability), ability).toBe(false);
    expect(can(filter, 'resize')).toBe(true);
  });

  test('for reading has no ability that changes the disk', async () => {
    await using filter = passThrough(ableDisk(), { readOnly: true });
    await filter.init();
    for (const ability of ['discard', 'writeZeroes', 'resize', 'repair', 'amend', 'snapshots'] as const)
      expect(can(filter, ability), ability).toBe(false);
    expect(can(filter, 'check')).toBe(true);
    expect((await diskErrorOf(() => filter.write(0, new Uint8Array(1)))).code).toBe('ERR_READ_ONLY');
  });

  test('with a list keeps those abilities alone', async () => {
    await using filter = passThrough(ableDisk(), { only: ['extents', 'info'] });
    expect([can(filter, 'extents'), can(filter, 'info')]).toEqual([true, true]);
    expect([can(filter, 'discard'), can(filter, 'resize')]).toEqual([false, false]);
  });
});

test.each([
  ['a filter', (below: DiskModule) => passThrough(below)],
  ['a cache', (below: DiskModule) => new CachedDisk(below)],
] as const)('%s fails when the disk below takes fewer bytes than it was given', async (_, wrap) => {
  const below = new MemoryDisk(pattern(SIZE));
  below.write = async () => 10;
  await using disk = wrap(below);
  await disk.init();
  expect((await diskErrorOf(() => disk.write(0, new Uint8Array(20)))).code).toBe('ERR_IO');
});

describe('a defined disk', () => {
  test('has the abilities of its definition, and no others', async () => {
    const bytes = pattern(1000);
    await using disk = defineDisk({
      type: 'TOY',
      location: 'toy:1',
      size: () => bytes.length,
      readInto(offset, into) {
        into.set(bytes.subarray(offset, offset + into.length));
        return undefined;
      },
    });
    await disk.init();
    expect(await disk.read(990, 100)).toEqual(bytes.subarray(990));
    expect([disk.diskType, disk.writable, can(disk, 'flush'), can(disk, 'extents')]).toEqual([
      'TOY',
      false,
      false,
      false,
    ]);
    const error = await diskErrorOf(() => disk.write(0, new Uint8Array(1)));
    expect(error).toMatchObject({ code: 'ERR_READ_ONLY', layer: 'toy:1' });
  });

  test('opens and closes once, and waits for calls in flight', async () => {
    const events: string[] = [];
    let arrive: (() => void) | undefined;
    const disk = defineDisk({
      async init() {
        events.push('init');
      },
      size: () => 10,
      readInto: () =>
        new Promise<void>((resolve) => {
          arrive = () => {
            events.push('read');
            resolve();
          };
        }),
      async close() {
        events.push('close');
      },
    });
    await Promise.all([disk.init(), disk.init()]);
    const reading = disk.read(0, 10);
    const closing = Promise.all([disk.close(), disk.close()]);
    await new Promise((resolve) => setImmediate(resolve));
    arrive?.();
    await Promise.all([reading, closing]);
    expect(events).toEqual(['init', 'read', 'close']);
  });
});
