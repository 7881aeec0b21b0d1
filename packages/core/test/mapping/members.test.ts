import { describe, expect, test } from 'vitest';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';
import { defineDisk } from '../../src/disks/define-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { type ExtentList, MAX_SOURCES } from '../../src/mapping/extent-list.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import type { PlacedPart } from '../../src/mapping/mapping-writer.ts';
import { describeDiskModule, diskErrorOf, pattern } from '../../src/testing/index.ts';
import { CLUSTER, toyDisk, toyImage } from '../support/toy-format.ts';

// A volume over disks that belong to others: chunks of it are on each in turn, from byte `START` of each on.

const CHUNK = 1024;
const START = 512;
const CHUNKS = 12;

type Members = readonly (DiskModule | undefined)[];

/** The volume on the members with these numbers. */
function volume(members: Members, numbers: readonly number[], size = CHUNKS * CHUNK): MappedDisk {
  const part = (offset: number, length: number): PlacedPart => {
    const within = offset % CHUNK;
    const chunk = (offset - within) / CHUNK;
    return {
      offset,
      length: Math.min(length, CHUNK - within),
      at: START + Math.floor(chunk / numbers.length) * CHUNK + within,
      source: numbers[chunk % numbers.length] ?? 0,
      before: 0,
      after: 0,
    };
  };
  const placement = (offset: number, length: number) => {
    const parts: PlacedPart[] = [];
    for (let done = 0; done < length; done += parts.at(-1)?.length ?? length)
      parts.push(part(offset + done, length - done));
    return { length, parts };
  };
  return new MappedDisk({
    type: 'STRIPES',
    format: 'stripes',
    members,
    location: '/dev/stripes',
    mountMode: 'rw',
    limits: DEFAULT_LIMITS,
    load: async () => ({
      size,
      info: { format: 'stripes', virtualSize: size },
      transparent: true,
      translate(offset, length, extents: ExtentList) {
        for (let done = 0; done < length && !extents.full; ) {
          const { at, length: run, source } = part(offset + done, length - done);
          extents.data(run, at, source);
          done += run;
        }
        return undefined;
      },
      writer: { unit: CHUNK, inPlace: placement, place: async (at, length) => placement(at, length) },
    }),
  });
}

async function memory(seed: number, location?: string): Promise<MemoryDisk> {
  const disk = new MemoryDisk(pattern(16 * CHUNK, seed), location === undefined ? {} : { location });
  await disk.init();
  return disk;
}

async function two(): Promise<readonly [MemoryDisk, MemoryDisk]> {
  return [await memory(1, '/dev/one'), await memory(2, '/dev/two')];
}

const expected = new Uint8Array(CHUNKS * CHUNK);
for (let chunk = 0; chunk < CHUNKS; chunk++) {
  const at = START + Math.floor(chunk / 2) * CHUNK;
  expected.set(pattern(16 * CHUNK, 1 + (chunk % 2)).subarray(at, at + CHUNK), chunk * CHUNK);
}

describeDiskModule('a volume over two members', {
  open: async () => volume(await two(), [0, 1]),
  expected,
  writable: true,
});

async function extentsOf(disk: MappedDisk, length?: number): Promise<DiskExtent[]> {
  const extents: DiskExtent[] = [];
  for await (const extent of disk.extents(0, length)) extents.push(extent);
  return extents;
}

test('an extent names the member and the byte of it, also the first one', async () => {
  const [one, other] = await two();
  await using disk = volume([one, other], [0, 1]);
  await disk.init();
  const common = { length: CHUNK, kind: 'data', depth: 0, present: true } as const;
  expect(await extentsOf(disk, 3 * CHUNK)).toEqual([
    { ...common, offset: 0, at: START, source: one },
    { ...common, offset: CHUNK, at: START, source: other },
    { ...common, offset: 2 * CHUNK, at: START + CHUNK, source: one },
  ]);
});

test('neighbours on two members stay two extents, also where their bytes would be neighbours', async () => {
  const [one, other] = await two();
  await using disk = volume([one, other], [0], CHUNK);
  await disk.init();
  expect(await extentsOf(disk)).toHaveLength(1);
  const members = [one, other];
  await using both = new MappedDisk({
    type: 'ROW',
    format: 'row',
    members,
    mountMode: 'r',
    limits: DEFAULT_LIMITS,
    load: async () => ({
      size: 2 * CHUNK,
      info: { format: 'row', virtualSize: 2 * CHUNK },
      translate(offset, length, extents) {
        const source = offset < CHUNK ? 0 : 1;
        extents.data(Math.min(length, (source + 1) * CHUNK - offset), offset, source);
        return undefined;
      },
    }),
  });
  await both.init();
  expect((await extentsOf(both)).map(({ at, source }) => [at, source])).toEqual([
    [0, one],
    [CHUNK, other],
  ]);
});

test('a member that is an image passes its own answer on: the byte of its file', async () => {
  const image = toyImage(['zero', 'data', 'compressed', 'data']);
  const file = new MemoryDisk(image.file);
  const member = toyDisk(image, file);
  await member.init();
  await using disk = volume([undefined, member], [1], 3 * CLUSTER);
  await disk.init();
  const [, second, , fourth] = image.entries;
  const found = (await extentsOf(disk)).map(({ offset, length, kind, at, source }) => [
    offset,
    length,
    kind,
    at,
    source,
  ]);
  expect(found).toEqual([
    [0, CLUSTER - START, 'zero', undefined, undefined],
    [CLUSTER - START, CLUSTER, 'data', second?.at, file],
    [2 * CLUSTER - START, CLUSTER, 'compressed', undefined, undefined],
    [3 * CLUSTER - START, START, 'data', fourth?.at, file],
  ]);
});

test('bytes are written to the members, and zeroes too', async () => {
  const [one, other] = await two();
  await using disk = volume([one, other], [0, 1]);
  await disk.init();
  await disk.write(CHUNK - 1, new Uint8Array(CHUNK + 2).fill(7));
  await disk.writeZeroes?.(2 * CHUNK + 100, 10);
  const [first, second] = [pattern(16 * CHUNK, 1), pattern(16 * CHUNK, 2)];
  first[START + CHUNK - 1] = 7;
  second.fill(7, START, START + CHUNK);
  first[START + CHUNK] = 7;
  first.fill(0, START + CHUNK + 100, START + CHUNK + 110);
  expect(Buffer.compare(one.bytes, first)).toBe(0);
  expect(Buffer.compare(other.bytes, second)).toBe(0);
});

describe('the members belong to others', () => {
  test('closing the volume leaves them open', async () => {
    const [one, other] = await two();
    const disk = volume([one, other], [0, 1]);
    await disk.init();
    await disk.close();
    expect(() => disk.size()).toThrow('closed');
    expect([one.size(), other.size()]).toEqual([16 * CHUNK, 16 * CHUNK]);
  });

  test('a flush flushes each that the volume is on, once', async () => {
    const flushed: number[] = [];
    const members = await Promise.all(
      [0, 1, 2].map(async (number) => {
        const member = defineDisk({
          size: () => 16 * CHUNK,
          readInto: (_offset, into) => void into.fill(0),
          write: () => undefined,
          flush: async () => void flushed.push(number),
        });
        await member.init();
        return member;
      }),
    );
    await using disk = volume([members[0], undefined, members[2]], [0, 2]);
    await disk.init();
    await disk.flush();
    expect(flushed).toEqual([0, 2]);
  });

  test('the volume has the longest of their sectors, and is read-only where one of them is', async () => {
    const of = async (blockSize: number, writable: boolean): Promise<DiskModule> => {
      const disk = defineDisk({
        blockSize,
        size: () => 16 * CHUNK,
        readInto: (_offset, into) => void into.fill(0),
        ...(writable ? { write: () => undefined } : {}),
      });
      await disk.init();
      return disk;
    };
    await using mixed = volume([await of(512, true), undefined, await of(4096, true)], [0, 2]);
    await mixed.init();
    expect([mixed.blockSize, mixed.writable, mixed.downstream]).toEqual([4096, true, undefined]);
    await using locked = volume([await of(512, true), await of(512, false)], [0, 1]);
    await locked.init();
    expect([locked.blockSize, locked.writable]).toEqual([512, false]);
    expect((await diskErrorOf(() => locked.write(0, new Uint8Array(1)))).code).toBe('ERR_READ_ONLY');
  });
});

test('a member that is too short is named, with both numbers', async () => {
  const [one] = await two();
  const short = new MemoryDisk(new Uint8Array(START + 100), { location: '/dev/short' });
  await short.init();
  await using disk = volume([one, short], [0, 1]);
  await disk.init();
  expect(await disk.read(0, CHUNK + 100)).toHaveLength(CHUNK + 100);
  const error = await diskErrorOf(() => disk.read(CHUNK, CHUNK));
  expect(error).toMatchObject({ code: 'ERR_TRUNCATED', offset: START, format: 'stripes' });
  expect(error.reason).toBe(`data extends to byte ${START + CHUNK}, but "/dev/short" ends at ${START + 100}`);
});

test('an extent on a member that is not there is a defect of the format, and never other bytes', async () => {
  const [one] = await two();
  await using disk = volume([one, undefined], [0, 1]);
  await disk.init();
  for (const read of [() => disk.read(CHUNK, 1), () => disk.write(CHUNK, new Uint8Array(1))])
    expect(await diskErrorOf(read)).toMatchObject({ code: 'ERR_INTERNAL', format: 'stripes' });
});

test('more members than a number can name are refused', async () => {
  const one = await memory(1);
  await using most = volume([...new Array(MAX_SOURCES - 1), one], [MAX_SOURCES - 1]);
  await most.init();
  expect(await most.read(0, 4)).toEqual(pattern(16 * CHUNK, 1).subarray(START, START + 4));
  await using more = volume([...new Array(MAX_SOURCES), one], [MAX_SOURCES]);
  const error = await diskErrorOf(() => more.init());
  expect(error.code).toBe('ERR_LIMIT');
  expect(error.reason).toContain('65537 disks, at most 65536');
});
