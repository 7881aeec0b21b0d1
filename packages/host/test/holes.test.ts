import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync, statSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDisk } from '@diskstack/core/node';
import { diskErrorOf } from '@diskstack/core/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { openHost } from '../src/index.ts';
import { sparseFile } from './support/sparse-file.ts';
import { tempFolder } from './support/temp-folder.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const { holes } = await openHost();
const major = Number.parseInt(process.versions.node, 10);
const isExpected = process.platform === 'linux' && major >= 26;
const why = `${process.platform} with Node ${process.versions.node} has no node:ffi`;

test.runIf(isExpected)('Linux with Node 26 can find holes', () => {
  expect(holes).toBeDefined();
});

type Found = readonly [kind: string, offset: number, length: number];

/** The extents of a file, and the bytes that were read to find them. */
async function look(path: string, offset?: number, length?: number) {
  await using disk = new FileDisk(path, { host: openHost });
  await disk.init();
  let bytesRead = 0;
  const read = disk.read.bind(disk);
  disk.read = async (at, bytes, io) => {
    bytesRead += bytes;
    return read(at, bytes, io);
  };
  const found: Found[] = [];
  for await (const extent of disk.extents(offset, length)) {
    expect(extent).toMatchObject({ depth: 0, present: true, at: extent.offset });
    found.push([extent.kind, extent.offset, extent.length]);
  }
  return { found, bytesRead };
}

const SHAPES: readonly [shape: string, size: number, parts: (readonly [number, number])[], found: Found[]][] =
  [
    ['no bytes', 0, [], []],
    ['one byte', 1, [[0, 1]], [['data', 0, 1]]],
    ['one byte of a hole', 1, [], [['zero', 0, 1]]],
    ['no holes', MiB, [[0, MiB]], [['data', 0, MiB]]],
    ['one hole', 3 * GiB, [], [['zero', 0, 3 * GiB]]],
    [
      'a hole at the end',
      MiB,
      [[0, 4096]],
      [
        ['data', 0, 4096],
        ['zero', 4096, MiB - 4096],
      ],
    ],
    [
      'a hole at the start',
      MiB,
      [[MiB - 4096, 4096]],
      [
        ['zero', 0, MiB - 4096],
        ['data', MiB - 4096, 4096],
      ],
    ],
    [
      'one byte in the middle',
      MiB,
      [[300_000, 1]],
      [
        ['zero', 0, 299_008],
        ['data', 299_008, 4096],
        ['zero', 303_104, MiB - 303_104],
      ],
    ],
    [
      'data that crosses a border of blocks',
      MiB,
      [[8191, 2]],
      [
        ['zero', 0, 4096],
        ['data', 4096, 8192],
        ['zero', 12_288, MiB - 12_288],
      ],
    ],
    [
      'an end inside a block',
      50_001,
      [
        [0, 1],
        [50_000, 1],
      ],
      [
        ['data', 0, 4096],
        ['zero', 4096, 45_056],
        ['data', 49_152, 849],
      ],
    ],
    [
      'a hole that ends inside a block',
      50_001,
      [[0, 1]],
      [
        ['data', 0, 4096],
        ['zero', 4096, 45_905],
      ],
    ],
    [
      'data far away',
      2 ** 40,
      [
        [0, 4096],
        [2 ** 40 - 8192, 4096],
      ],
      [
        ['data', 0, 4096],
        ['zero', 4096, 2 ** 40 - 12_288],
        ['data', 2 ** 40 - 8192, 4096],
        ['zero', 2 ** 40 - 4096, 4096],
      ],
    ],
  ];

const fileSystems = [tmpdir(), '/dev/shm'].filter((root) => existsSync(root));

for (const root of holes === undefined ? [] : fileSystems) {
  const folder = tempFolder(root);
  let count = 0;
  const make = (size: number, parts: readonly (readonly [number, number])[]): string => {
    const path = join(folder, `${count++}.img`);
    sparseFile(path, size, parts);
    return path;
  };
  // Where files have no holes every shape is data, which is right and tests nothing.
  const hasHoles = statSync(make(MiB, [[0, 4096]])).blocks * 512 < MiB;

  describe.runIf(hasHoles)(`in ${root}`, () => {
    test.for(SHAPES)('a file of %s', async ([, size, parts, found]) => {
      expect(await look(make(size, parts))).toEqual({ found, bytesRead: 0 });
    });

    test.for<[number, number | undefined, Found[]]>([
      [MiB, MiB, [['zero', MiB, MiB]]],
      [
        MiB - 1,
        2,
        [
          ['data', MiB - 1, 1],
          ['zero', MiB, 1],
        ],
      ],
      [
        2 * MiB - 7,
        undefined,
        [
          ['zero', 2 * MiB - 7, 7],
          ['data', 2 * MiB, MiB],
        ],
      ],
      [100, 50, [['data', 100, 50]]],
      [MiB + 100, 50, [['zero', MiB + 100, 50]]],
      [3 * MiB, undefined, []],
    ])('a part of a file, from byte %d on, %s bytes', async ([offset, length, found]) => {
      const path = make(3 * MiB, [
        [0, MiB],
        [2 * MiB, MiB],
      ]);
      expect(await look(path, offset, length)).toEqual({ found, bytesRead: 0 });
    });

    test('many extents', async () => {
      const parts = Array.from({ length: 2000 }, (_, index) => [index * 12_288 + 4096, 4096] as const);
      const { found } = await look(make(2000 * 12_288, parts));
      const data = found.filter(([kind]) => kind === 'data').map(([, at, length]) => [at, length]);
      expect(data).toEqual(parts);
      expect(found).toHaveLength(4001);
    });

    test('zeroes that were written are data', async () => {
      const path = make(MiB, []);
      const fd = openSync(path, 'r+');
      writeSync(fd, new Uint8Array(8192), 0, 8192, 16_384);
      closeSync(fd);
      expect((await look(path)).found).toEqual([
        ['zero', 0, 16_384],
        ['data', 16_384, 8192],
        ['zero', 24_576, MiB - 24_576],
      ]);
    });

    test('data that is written between two questions is found', async () => {
      await using disk = new FileDisk(make(MiB, []), { host: openHost, writable: true });
      await disk.init();
      const kinds = async (): Promise<string[]> => {
        const all: string[] = [];
        for await (const { kind, length } of disk.extents()) all.push(`${kind} ${length}`);
        return all;
      };
      expect(await kinds()).toEqual([`zero ${MiB}`]);
      await disk.write(0, new Uint8Array(4096).fill(1));
      expect(await kinds()).toEqual(['data 4096', `zero ${MiB - 4096}`]);
      await disk.resize?.(MiB + 4096);
      expect(await kinds()).toEqual(['data 4096', `zero ${MiB}`]);
    });
  });
}

describe.runIf(holes !== undefined)(`the calls${holes === undefined ? ` [skipped: ${why}]` : ''}`, () => {
  const folder = tempFolder();
  const path = join(folder, 'a.img');
  sparseFile(path, 10 * MiB, [[MiB, 4096]]);
  const fd = openSync(path, 'r');
  afterAll(() => closeSync(fd));
  const NOWHERE = Number.POSITIVE_INFINITY;

  test('find the next data and the next hole', () => {
    expect([0, MiB, MiB + 1, MiB + 4096].map((at) => holes?.nextData(fd, at))).toEqual([
      MiB,
      MiB,
      MiB + 1,
      NOWHERE,
    ]);
    expect([0, MiB, MiB + 1, 10 * MiB - 1].map((at) => holes?.nextHole(fd, at))).toEqual([
      0,
      MiB + 4096,
      MiB + 4096,
      10 * MiB - 1,
    ]);
  });

  test('find nothing at the end and past it', () => {
    for (const at of [10 * MiB, 10 * MiB + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      expect(holes?.nextData(fd, at)).toBe(NOWHERE);
      expect(holes?.nextHole(fd, at)).toBe(NOWHERE);
    }
  });

  test.for([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('refuse offset %d', async (offset) => {
    for (const ask of ['nextData', 'nextHole'] as const) {
      const error = await diskErrorOf(async () => holes?.[ask](fd, offset));
      expect(error.code).toBe('ERR_ARGUMENT');
      expect(error.message).toContain(String(offset));
    }
  });

  test('answer nothing for a descriptor that is not open', () => {
    const closed = openSync(path, 'r');
    closeSync(closed);
    expect(holes?.nextData(closed, 0)).toBeUndefined();
    expect(holes?.nextHole(closed, 0)).toBeUndefined();
    expect(holes?.nextData(-1, 0)).toBeUndefined();
  });

  test('move the position of the descriptor, which reads of a FileDisk do not use', async () => {
    await using disk = new FileDisk(path, { host: openHost });
    await disk.init();
    const extents = disk.extents()[Symbol.asyncIterator]();
    await extents.next();
    expect((await disk.read(MiB - 1, 3))[1]).toBe(0xdd);
    expect((await extents.next()).value).toMatchObject({ kind: 'data', offset: MiB, length: 4096 });
    expect(await disk.read(MiB, 4096)).toEqual(new Uint8Array(4096).fill(0xdd));
    const byte = new Uint8Array(1);
    expect(readSync(fd, byte, 0, 1, MiB)).toBe(1);
    expect(byte[0]).toBe(0xdd);
  });

  test('a file that becomes shorter during the search is ERR_CHANGED', async () => {
    const shrinking = join(folder, 'shrinking.img');
    sparseFile(shrinking, 8 * MiB, [
      [0, 4096],
      [6 * MiB, 4096],
    ]);
    await using disk = new FileDisk(shrinking, { host: openHost });
    await disk.init();
    const error = await diskErrorOf(async () => {
      for await (const _extent of disk.extents()) truncateSync(shrinking, MiB);
    });
    expect(error).toMatchObject({ code: 'ERR_CHANGED', layer: shrinking });
    expect(error.message).toContain(`${8 * MiB} bytes`);
    expect(error.message).toContain(`byte ${MiB}`);
  });

  test('space that is reserved and not written is a hole, and reads as zeroes', async (context) => {
    const reserved = join(folder, 'reserved.img');
    sparseFile(reserved, MiB, []);
    const { status } = spawnSync('fallocate', ['-l', String(MiB), reserved]);
    if (status !== 0) context.skip('fallocate (util-linux) cannot reserve space here');
    expect(statSync(reserved).blocks * 512).toBeGreaterThanOrEqual(MiB);
    const out = openSync(reserved, 'r+');
    writeSync(out, new Uint8Array(4096).fill(7), 0, 4096, 64 * KiB);
    closeSync(out);
    const { found } = await look(reserved);
    expect(found).toEqual([
      ['zero', 0, 64 * KiB],
      ['data', 64 * KiB, 4096],
      ['zero', 68 * KiB, MiB - 68 * KiB],
    ]);
  });
});
