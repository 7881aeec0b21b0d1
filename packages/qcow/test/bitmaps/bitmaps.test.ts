import { expect, test } from 'vitest';
import { bitmapExtentsOf, bitmapsOf, dirtyExtents } from '../support/bitmaps.ts';
import { random } from '../support/content.ts';
import { openPath } from '../support/image-folder.ts';
import { infoOf } from '../support/open.ts';
import { describeWithQemu, qemuImg } from '../support/qemu.ts';
import { KiB, MiB, makeImage, qcow2Kind, sizeName, writeImage } from '../support/recipe.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Case {
  readonly clusterSize: number;
  readonly granularity: number;
  readonly size: number;
}

// With clusters of 512 bytes and a granularity of 512, a cluster of bits covers 2 MiB: the table has many entries.
const CASES: readonly Case[] = [
  { clusterSize: 512, granularity: 512, size: 9 * MiB },
  { clusterSize: 4 * KiB, granularity: 512, size: 40 * MiB },
  { clusterSize: 4 * KiB, granularity: 4 * KiB, size: 300 * MiB },
  { clusterSize: 64 * KiB, granularity: 64 * KiB, size: 10 * MiB + 512 },
  { clusterSize: 64 * KiB, granularity: MiB, size: 33 * MiB + 3 * 512 },
];

describeWithQemu('bitmaps by qemu-img', () => {
  const temp = tempFolder();
  for (const [index, { clusterSize, granularity, size }] of CASES.entries()) {
    const title = `clusters of ${sizeName(clusterSize)}, granularity ${sizeName(granularity)}`;
    test.concurrent(`${title}: the bits are the writes, rounded`, async () => {
      const kind = qcow2Kind('1.1', clusterSize);
      const path = await makeImage(await temp.next(), { name: 'disk', kind, size });
      await qemuImg('bitmap', '--add', '-g', String(granularity), path, 'changes');
      const next = random(80 + index);
      const written: (readonly [number, number])[] = [];
      const commands: string[] = [];
      for (let count = 0; count < 30; count++) {
        const offset = next(size - 1);
        const length = Math.min(size - offset, 1 + next(100_000));
        written.push([offset, length]);
        commands.push(`write -q ${['-P 1', '-z'][next(2)]} ${offset} ${length}`);
      }
      await writeImage(path, { kind }, commands);
      await using disk = await openPath(path);
      expect(bitmapsOf(disk)).toEqual([{ name: 'changes', granularity, flags: ['auto'], consistent: true }]);
      expect(await bitmapExtentsOf(disk, 'changes')).toEqual(dirtyExtents(written, size, granularity));
    });
  }

  test('several bitmaps of one disk say what was written since each was added, or while it was enabled', async () => {
    const kind = qcow2Kind('1.1', 64 * KiB);
    const size = MiB;
    const path = await makeImage(await temp.next(), { name: 'disk', kind, size });
    await qemuImg('bitmap', '--add', '-g', '64k', path, 'first');
    await writeImage(path, { kind }, ['write -q -P 1 0 64k']);
    await qemuImg('bitmap', '--add', '-g', '32k', path, 'second');
    await qemuImg('bitmap', '--disable', path, 'first');
    await writeImage(path, { kind }, ['write -q -P 1 512k 64k']);
    await using disk = await openPath(path);
    expect(bitmapsOf(disk)).toEqual([
      { name: 'first', granularity: 64 * KiB, flags: [], consistent: true },
      { name: 'second', granularity: 32 * KiB, flags: ['auto'], consistent: true },
    ]);
    expect(await bitmapExtentsOf(disk, 'first')).toEqual(dirtyExtents([[0, 64 * KiB]], size, 64 * KiB));
    expect(await bitmapExtentsOf(disk, 'second')).toEqual(
      dirtyExtents([[512 * KiB, 64 * KiB]], size, 32 * KiB),
    );
  });

  test("info lists them as qemu-img's does", async () => {
    const kind = qcow2Kind('1.1', 64 * KiB);
    const path = await makeImage(await temp.next(), { name: 'disk', kind, size: MiB });
    for (const name of ['one', 'two']) await qemuImg('bitmap', '--add', path, name);
    const theirs = JSON.parse(await qemuImg('info', '--output', 'json', path)) as Record<string, unknown>;
    await using disk = await openPath(path);
    expect(infoOf(disk).specific).toEqual(theirs['format-specific']);
  });

  test('a bitmap that was cleared is clean from end to end', async () => {
    const kind = qcow2Kind('1.1', 64 * KiB);
    const path = await makeImage(await temp.next(), { name: 'disk', kind, size: MiB });
    await qemuImg('bitmap', '--add', path, 'changes');
    await writeImage(path, { kind }, ['write -q -P 1 0 1M']);
    await qemuImg('bitmap', '--clear', path, 'changes');
    await using disk = await openPath(path);
    expect(await bitmapExtentsOf(disk, 'changes')).toEqual([{ offset: 0, length: MiB, dirty: false }]);
  });
});
