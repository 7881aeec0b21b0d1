import { spawnSync } from 'node:child_process';
import { closeSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { FileDisk } from '../../../src/node/file/file-disk.ts';
import { readHoles } from '../../../src/node/file/read-holes.ts';
import { diskErrorOf } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const folder = tempFolder();
let count = 0;

/** A file with bytes at some places and holes between them. */
function sparse(size: number, ...parts: readonly (readonly [at: number, length: number])[]): string {
  const path = join(folder, `${count++}.img`);
  writeFileSync(path, '');
  truncateSync(path, size);
  const fd = openSync(path, 'r+');
  for (const [at, length] of parts) writeSync(fd, new Uint8Array(length).fill(0xdd), 0, length, at);
  closeSync(fd);
  return path;
}

type Told = readonly [kind: string, offset: number, length: number];

/** The extents of a range of the file, and how many bytes were read to find them. */
async function look(path: string, offset?: number, length?: number, findHoles = true) {
  await using disk = new FileDisk(path);
  await disk.init();
  const reads: number[] = [];
  const read = disk.read.bind(disk);
  disk.read = async (at, bytes, io) => {
    reads.push(at);
    return read(at, bytes, io);
  };
  const told: Told[] = [];
  for await (const extent of disk.extents(offset, length, { findHoles })) {
    expect(extent).toMatchObject({ depth: 0, present: true, at: extent.offset });
    told.push([extent.kind, extent.offset, extent.length]);
  }
  return { told, reads };
}

const probe = sparse(MiB, [0, 4096]);
const hasHoles = statSync(probe).blocks * 512 < MiB;
// coreutils names the file system. If the code under test did, a file system that it no longer knows would skip the tests.
const fileSystem = spawnSync('stat', ['-f', '-c', '%T %S', folder], { encoding: 'utf8' }).stdout?.trim();
const isTrusted = /^(ext2\/ext3|xfs|tmpfs) (4096|\d{5,})$/.test(fileSystem ?? '');

test('a full file is data, and is not read for that', async () => {
  expect(await look(sparse(100_000, [0, 100_000]))).toEqual({ told: [['data', 0, 100_000]], reads: [] });
});

test('an empty file has no extents', async () => {
  expect(await look(sparse(0))).toEqual({ told: [], reads: [] });
});

test('a range of no bytes has no extents', async () => {
  const path = sparse(MiB, [0, 4096]);
  for (const offset of [0, 5000, MiB, MiB + 1]) expect((await look(path, offset, 0)).told).toEqual([]);
  expect((await look(path, MiB)).told).toEqual([]);
});

describe.skipIf(!hasHoles)(
  `sparse files${hasHoles ? '' : ' [skipped: the file system has no holes]'}`,
  () => {
    test('are data without findHoles', async () => {
      const path = sparse(10 * MiB, [0, 4096]);
      expect(await look(path, undefined, undefined, false)).toEqual({
        told: [['data', 0, 10 * MiB]],
        reads: [],
      });
    });

    test.for<[string, number, (readonly [number, number])[], Told[]]>([
      [
        'in the middle',
        3 * MiB,
        [
          [0, MiB],
          [2 * MiB, MiB],
        ],
        [
          ['data', 0, MiB],
          ['zero', MiB, MiB],
          ['data', 2 * MiB, MiB],
        ],
      ],
      [
        'at both ends',
        3 * MiB,
        [[MiB, MiB]],
        [
          ['zero', 0, MiB],
          ['data', MiB, MiB],
          ['zero', 2 * MiB, MiB],
        ],
      ],
      [
        'at the start',
        MiB,
        [[MiB - 4096, 4096]],
        [
          ['zero', 0, MiB - 4096],
          ['data', MiB - 4096, 4096],
        ],
      ],
      [
        'around one byte',
        MiB,
        [[300_000, 1]],
        [
          ['zero', 0, 299_008],
          ['data', 299_008, 4096],
          ['zero', 303_104, MiB - 303_104],
        ],
      ],
      [
        'up to an end inside a block',
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
        'that ends inside a block',
        50_001,
        [[0, 1]],
        [
          ['data', 0, 4096],
          ['zero', 4096, 45_905],
        ],
      ],
      [
        'many',
        64 * KiB,
        [
          [4096, 4096],
          [12_288, 8192],
          [40_960, 1],
        ],
        [
          ['zero', 0, 4096],
          ['data', 4096, 4096],
          ['zero', 8192, 4096],
          ['data', 12_288, 8192],
          ['zero', 20_480, 20_480],
          ['data', 40_960, 4096],
          ['zero', 45_056, 20_480],
        ],
      ],
    ])('have a hole %s', async ([, size, parts, told]) => {
      expect((await look(sparse(size, ...parts))).told).toEqual(told);
    });

    test('written zeroes are a hole too', async () => {
      const path = sparse(MiB, [0, 65_536], [MiB - 4096, 4096]);
      const fd = openSync(path, 'r+');
      writeSync(fd, new Uint8Array(8192), 0, 8192, 16_384);
      closeSync(fd);
      expect((await look(path)).told.slice(0, 3)).toEqual([
        ['data', 0, 16_384],
        ['zero', 16_384, 8192],
        ['data', 24_576, 40_960],
      ]);
    });

    test.for<[number, number | undefined, Told[]]>([
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
        MiB - 5000,
        10_000,
        [
          ['data', MiB - 5000, 5000],
          ['zero', MiB, 5000],
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
      [3 * MiB - 1, 99, [['data', 3 * MiB - 1, 1]]],
      [MiB + 100, 50, [['zero', MiB + 100, 50]]],
    ])('are looked into from byte %d on, %s bytes', async ([offset, length, told]) => {
      const path = sparse(3 * MiB, [0, MiB], [2 * MiB, MiB]);
      expect((await look(path, offset, length)).told).toEqual(told);
    });

    test('are read no further than their last data', async (context) => {
      if (!isTrusted) context.skip('the file system does not count blocks in a way that can be trusted');
      const path = sparse(64 * MiB, [0, 4096], [5 * MiB, 4096]);
      const { told, reads } = await look(path);
      expect(told).toEqual([
        ['data', 0, 4096],
        ['zero', 4096, 5 * MiB - 4096],
        ['data', 5 * MiB, 4096],
        ['zero', 5 * MiB + 4096, 59 * MiB - 4096],
      ]);
      expect(Math.max(...reads)).toBe(5 * MiB);
    });

    test('are read to the end of the range if the search starts inside the file', async () => {
      const path = sparse(8 * MiB, [0, 4096], [6 * MiB, 4096]);
      const { told, reads } = await look(path, MiB, 6 * MiB);
      expect(told).toEqual([
        ['zero', MiB, 5 * MiB],
        ['data', 6 * MiB, 4096],
        ['zero', 6 * MiB + 4096, MiB - 4096],
      ]);
      expect(reads).toEqual([1, 2, 3, 4, 5, 6].map((index) => index * MiB));
    });

    test('that are one hole are not read', async (context) => {
      if (!isTrusted) context.skip('the file system does not count blocks in a way that can be trusted');
      expect(await look(sparse(64 * MiB))).toEqual({ told: [['zero', 0, 64 * MiB]], reads: [] });
      expect((await look(sparse(64 * MiB), 5, 7)).told).toEqual([['zero', 5, 7]]);
    });
  },
);

/** Holes of a file whose `stat` says other things of it than this machine's would. */
async function holesBy(path: string, location: string, blocks: number, findHoles: boolean) {
  await using disk = new FileDisk(path);
  await disk.init();
  const stats = Object.assign(statSync(path), { blocks });
  const told = vi.fn<(kind: string) => void>();
  const elsewhere = Object.assign(Object.create(disk) as FileDisk, { location });
  elsewhere.read = disk.read.bind(disk);
  for await (const { kind, length } of readHoles(elsewhere, stats, 0, disk.size(), { findHoles })) {
    if (kind === 'zero') told(`${length} bytes of zeroes`);
  }
  return told;
}

test.for([0, 1, 8])(
  'a file system that counts %d blocks where there is data hides no data',
  async (blocks) => {
    const path = sparse(3 * MiB, [0, 3 * MiB]);
    for (const findHoles of [true, false]) {
      expect(await holesBy(path, '/proc/self/status', blocks, findHoles)).not.toHaveBeenCalled();
    }
  },
);

test('a signal ends the search for holes', async () => {
  await using disk = new FileDisk(sparse(8 * MiB, [0, 4096], [8 * MiB - 4096, 4096]));
  await disk.init();
  const controller = new AbortController();
  const walk = async (): Promise<void> => {
    for await (const _extent of disk.extents(0, undefined, { findHoles: true, signal: controller.signal })) {
      controller.abort();
    }
  };
  expect((await diskErrorOf(walk)).code).toBe('ERR_ABORTED');
});
