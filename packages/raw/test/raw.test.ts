import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { can, createDisks, type DiskExtent, type DiskModule, MemoryDisk } from '@diskstack/core';
import type { DiskFormat, OpenContext } from '@diskstack/core/format';
import { FileDisk, fileDriver } from '@diskstack/core/node';
import { describeDiskModule, diskErrorOf, pattern } from '@diskstack/core/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { raw } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'diskstack-raw-'));
afterAll(() => rm(folder, { recursive: true }));
let count = 0;
const newPath = (): string => join(folder, String(count++));

const SIZE = 300_001;
const expected = pattern(SIZE);
const disks = createDisks({ formats: [raw], drivers: [fileDriver()] });

/** Opens raw on a disk as a program does, without `init()`. */
async function stacked(disk: DiskModule, mountMode: 'r' | 'rw'): Promise<DiskModule> {
  let context: OpenContext | undefined;
  const spy: DiskFormat = {
    ...raw,
    open(downstream, given) {
      context = given;
      return raw.open(downstream, given);
    },
  };
  await (await createDisks({ formats: [spy] }).open(new Uint8Array(0), { mountMode })).close();
  if (context === undefined) throw new Error('the format was not asked to open the disk');
  return raw.open(disk, context);
}

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = newPath();
  await writeFile(path, bytes);
  return path;
}

describeDiskModule('raw in memory', {
  open: () => stacked(new MemoryDisk(pattern(SIZE)), 'rw'),
  expected,
  writable: true,
});
describeDiskModule('raw in memory, for reading', {
  open: () => stacked(new MemoryDisk(pattern(SIZE)), 'r'),
  expected,
});
describeDiskModule('raw in a file', {
  open: async () => stacked(new FileDisk(await fileOf(expected), { writable: true }), 'rw'),
  expected,
  writable: true,
});
describeDiskModule('raw in a file, through the thread pool', {
  open: async () => stacked(new FileDisk(await fileOf(expected), { writable: true, io: 'pool' }), 'rw'),
  expected,
  writable: true,
});
describeDiskModule('raw in a file, for reading', {
  open: async () => stacked(new FileDisk(await fileOf(expected)), 'r'),
  expected,
});
describeDiskModule('raw of no bytes', {
  open: async () => stacked(new FileDisk(await fileOf(new Uint8Array(0))), 'r'),
  expected: new Uint8Array(0),
});

test('raw is the fallback: it claims every disk, and never for sure', () => {
  const nothing = { head: new Uint8Array(0), tail: new Uint8Array(0), size: 0 };
  expect(raw.probe(nothing)).toBe('fallback');
});

test.for([0, 1, 511, 513, 1_000_003])('the size of a file of %i bytes is exact', async (size) => {
  await using disk = await disks.open(await fileOf(new Uint8Array(size)));
  expect(disk.size()).toBe(size);
});

test('what is written is in the file when the disk is closed', async () => {
  const path = await fileOf(expected);
  const disk = await disks.open(path, { mountMode: 'rw' });
  await disk.write(77_777, Uint8Array.of(1, 2, 3));
  await disk.close();
  await using again = await disks.open(path);
  expect(await again.read(77_776, 5)).toEqual(
    Uint8Array.of(expected[77_776] ?? 0, 1, 2, 3, expected[77_780] ?? 0),
  );
});

test('a raw disk opened for reading leaves its file alone', async () => {
  const path = await fileOf(expected);
  await using disk = await disks.open(path);
  expect(disk.writable).toBe(false);
  expect((await diskErrorOf(() => disk.write(0, Uint8Array.of(1)))).code).toBe('ERR_READ_ONLY');
  expect(await disk.read(0, SIZE)).toEqual(expected);
});

test('holes of a sparse file are zero extents', async () => {
  const path = newPath();
  const file = await open(path, 'w');
  await file.write(new Uint8Array(8192).fill(1), 0, 8192, 1024 * 1024);
  await file.truncate(3 * 1024 * 1024);
  await file.close();
  await using disk = await disks.open(path);
  const extents: DiskExtent[] = [];
  if (can(disk, 'extents'))
    for await (const extent of disk.extents(0, undefined, { findHoles: true })) extents.push(extent);
  expect(extents.map(({ kind, offset, length }) => [kind, offset, length])).toEqual([
    ['zero', 0, 1_048_576],
    ['data', 1_048_576, 8192],
    ['zero', 1_056_768, 2_088_960],
  ]);
});

const noLoop = loopMissing();
if (noLoop !== undefined) console.warn(`WARNING: ${noLoop}: the tests of block devices do NOT run`);

describe.skipIf(noLoop !== undefined)(
  noLoop === undefined ? 'a block device' : `a block device [skipped: ${noLoop}]`,
  () => {
    test('has the size that the kernel says, and not the 0 of stat', async () => {
      await using loop = await loopDevice(1_000_448);
      await using disk = await disks.open(loop.path);
      expect(disk.size()).toBe(1_000_448);
      expect(disk.blockSize).toBe(512);
      expect(await disk.read(1_000_440, 100)).toEqual(pattern(1_000_448).slice(1_000_440));
    });

    test('has the sectors that the kernel says', async () => {
      await using loop = await loopDevice(1_048_576, '--sector-size', '4096');
      await using disk = await disks.open(loop.path);
      expect(disk.blockSize).toBe(4096);
      expect(disk.size()).toBe(1_048_576);
    });

    test('can be written', async () => {
      await using loop = await loopDevice(65_536);
      await using disk = await disks.open(loop.path, { mountMode: 'rw' });
      await disk.write(513, Uint8Array.of(9, 9));
      expect(await disk.read(512, 4)).toEqual(
        Uint8Array.of(pattern(600)[512] ?? 0, 9, 9, pattern(600)[515] ?? 0),
      );
    });
  },
);

/** The reason why loop devices are not available, or `undefined`. */
function loopMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'loop devices need root';
  try {
    execFileSync('losetup', ['--find'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'losetup finds no loop device';
  }
}

/** A loop device over a file with `pattern`. Disposing it detaches the device. */
async function loopDevice(size: number, ...options: readonly string[]) {
  const file = await fileOf(pattern(size));
  const path = execFileSync('losetup', ['--find', '--show', ...options, file], { encoding: 'utf8' }).trim();
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('losetup', ['--detach', path]);
    },
  };
}
