import { expect, test } from 'vitest';
import type { Able } from '../../src/contracts/abilities.ts';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { ConcatDisk } from '../../src/disks/concat-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { describeDiskModule, diskErrorOf, faultDisk, pattern } from '../../src/testing/index.ts';

const PARTS = [1000, 0, 512, 70_001, 3];
/** Each but the last is padded to whole sectors. */
const STARTS = [0, 1024, 1024, 1536, 71_680];
const SIZE = 71_683;

function expected(): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  for (const [index, length] of PARTS.entries()) bytes.set(pattern(length, index), STARTS[index]);
  return bytes;
}

const row = (wrap = (disk: MemoryDisk): Able<never> => disk): ConcatDisk =>
  new ConcatDisk(PARTS.map((length, index) => wrap(new MemoryDisk(pattern(length, index)))));

describeDiskModule('ConcatDisk', { open: () => row(), expected: expected() });
describeDiskModule('ConcatDisk over slow disks without readInto', {
  open: () => row((disk) => faultDisk(disk, { delayMs: (call) => (call % 16 === 0 ? 1 : 0) })),
  expected: expected(),
});
describeDiskModule('ConcatDisk of one disk', {
  open: () => new ConcatDisk([new MemoryDisk(pattern(777))]),
  expected: pattern(777),
});

test('the extents cover the disk, each in its own disk of the row, and padding is zero', async () => {
  await using disk = row();
  await disk.init();
  const found: DiskExtent[] = [];
  for await (const extent of disk.extents(500, 71_000)) found.push(extent);
  expect(found.map(({ offset, length, kind, at }) => [offset, length, kind, at])).toEqual([
    [500, 500, 'data', 500],
    [1000, 24, 'zero', undefined],
    [1024, 512, 'data', 0],
    [1536, 69_964, 'data', 0],
  ]);
  const [, , third, fourth] = found;
  expect([third?.source?.size(), fourth?.source?.size()]).toEqual([512, 70_001]); // places are in the disks of the row
});

test('a read that fails in one disk fails, and a second one reads', async () => {
  await using disk = new ConcatDisk([
    new MemoryDisk(pattern(512)),
    faultDisk(new MemoryDisk(pattern(512)), { failAt: 1, readInto: true }),
  ]);
  await disk.init();
  expect((await diskErrorOf(() => disk.read(0, 1024))).code).toBe('ERR_IO');
  expect(await disk.read(512, 512)).toEqual(pattern(512));
});

test('disks whose sizes exceed 2^53 together are refused', async () => {
  const long = (): MemoryDisk =>
    Object.assign(new MemoryDisk(new Uint8Array(0)), { size: () => 2 ** 53 - 512 });
  expect((await diskErrorOf(() => new ConcatDisk([long(), long()]).init())).code).toBe('ERR_LIMIT');
});
