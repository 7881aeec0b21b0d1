import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BitmapExtent,
  copyBitmaps,
  copyDisk,
  createDisks,
  DiskError,
  type DiskModule,
  MemoryDisk,
} from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { createQcow } from '../../../src/index.ts';
import {
  bitmapDirectory,
  bitmapExtentsOf,
  bitmapsExtension,
  bitmapsOf,
  dirtyExtents,
} from '../../support/bitmaps.ts';
import { noise, random } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { qcow2Image } from '../../support/image-builder.ts';
import { FORMATS } from '../../support/open.ts';
import { checkWithQemu, describeWithQemu, plainSource, qemuImg, qemuIo } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const temp = tempFolder();
const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });
const SIZE = 5_000_192;
const RANGES = [
  [0, 100],
  [70_000, 3],
  [1_000_000, 900_000],
  [SIZE - 1, 1],
] as const;

async function image(size = SIZE, clusterSize = 4096): Promise<DiskModule> {
  const memory = new MemoryDisk(new Uint8Array(0));
  await memory.init();
  await createQcow(memory, { size, clusterSize });
  return await disks.open(memory, { mountMode: 'rw', format: 'qcow2' });
}

async function marked(): Promise<DiskModule> {
  const disk = await image();
  const { bitmapStore } = able(disk, 'bitmapStore');
  await bitmapStore.add({ name: 'fine', granularity: 512 });
  await bitmapStore.add({ name: 'coarse', granularity: 262_144 });
  for (const [offset, length] of RANGES) await disk.write(offset, noise(length, 1));
  await bitmapStore.add({
    name: 'off',
    granularity: 4096,
    auto: false,
    dirty: able(disk, 'bitmapExtents').bitmapExtents('fine'),
  });
  return disk;
}

describe('bitmaps are copied to another disk', () => {
  test('with their granularity, their bits and their flags; what the copy of the content wrote is not in them', async () => {
    await using source = await marked();
    await using target = await image(SIZE, 65_536);
    await copyDisk(source, target);
    expect(await copyBitmaps(source, target)).toEqual({ copied: 3, skipped: [] });
    expect(bitmapsOf(target)).toEqual(bitmapsOf(source));
    for (const { name } of bitmapsOf(source))
      expect(await bitmapExtentsOf(target, name)).toEqual(await bitmapExtentsOf(source, name));
    expect(await bitmapExtentsOf(target, 'fine')).toEqual(dirtyExtents(RANGES, SIZE, 512));
    await target.write(200_000, noise(10, 2));
    expect(await bitmapExtentsOf(target, 'fine')).toEqual(
      dirtyExtents([...RANGES, [200_000, 10]], SIZE, 512),
    );
    expect(await bitmapExtentsOf(target, 'off')).toEqual(dirtyExtents(RANGES, SIZE, 4096));
  });

  test('an inconsistent one is an error, and nothing is copied; or it is left out', async () => {
    const writing = await marked();
    await writing.write(0, noise(10, 1)); // 'fine' and 'coarse' are in use in the image
    await using source = await disks.open(
      new MemoryDisk(await bytesOf(able(writing, 'downstream').downstream)),
      {
        format: 'qcow2',
      },
    );
    await using target = await image();
    const error = await diskErrorOf(() => copyBitmaps(source, target));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', reason: expect.stringContaining('"fine"') });
    expect(bitmapsOf(target)).toEqual([]);
    expect(await copyBitmaps(source, target, { skipBroken: true })).toEqual({
      copied: 1,
      skipped: ['fine', 'coarse'],
    });
    expect(bitmapsOf(target).map(({ name }) => name)).toEqual(['off']);
    await writing.close();
  });

  test('bitmaps that cannot be read are an error, and not none', async () => {
    const directory = bitmapDirectory([{ tableOffset: 4096, tableSize: 3, name: 'b' }]);
    const lost = qcow2Image({
      header: { autoclearFeatures: 1n },
      extensions: [bitmapsExtension(1, directory.length, 2 ** 30)],
    });
    await using source = await disks.open(new MemoryDisk(lost, { writable: false }), { format: 'qcow2' });
    await using target = await image();
    expect(bitmapsOf(source)).toEqual([]);
    expect((await diskErrorOf(() => copyBitmaps(source, target))).code).toBe('ERR_TRUNCATED');
  });

  test('a target that is shorter, read-only or without bitmaps is refused; without bitmaps to copy it is not looked at', async () => {
    await using source = await marked();
    await using shorter = await image(SIZE - 512);
    expect((await diskErrorOf(() => copyBitmaps(source, shorter))).code).toBe('ERR_OUT_OF_BOUNDS');
    await using raw = await disks.open(new MemoryDisk(new Uint8Array(SIZE)), {
      mountMode: 'rw',
      format: 'raw',
    });
    expect((await diskErrorOf(() => copyBitmaps(source, raw))).code).toBe('ERR_UNSUPPORTED');
    expect((await diskErrorOf(() => copyBitmaps(raw, source))).code).toBe('ERR_UNSUPPORTED');
    await using none = await image();
    expect(await copyBitmaps(none, raw)).toEqual({ copied: 0, skipped: [] });
  });

  test('one of the same name is not replaced', async () => {
    await using source = await marked();
    await using target = await image();
    await able(target, 'bitmapStore').bitmapStore.add({ name: 'fine' });
    expect((await diskErrorOf(() => copyBitmaps(source, target))).reason).toContain('already');
  });
});

describe('bitmaps are merged', () => {
  const extent = (offset: number, length: number, dirty = true): BitmapExtent => ({ offset, length, dirty });

  test('what is given in any order is dirty afterwards, rounded to the granularity', async () => {
    const next = random(9);
    for (const granularity of [512, 4096, 1_048_576]) {
      await using disk = await image(SIZE, 512);
      const { bitmapStore } = able(disk, 'bitmapStore');
      const ranges = Array.from({ length: 200 }, () => [next(SIZE - 9000), next(9000)] as const);
      await bitmapStore.add({
        name: 'b',
        granularity,
        dirty: ranges.slice(0, 50).map(([at, length]) => extent(at, length)),
      });
      async function* later(): AsyncGenerator<BitmapExtent> {
        for (const [at, length] of ranges.slice(50)) yield extent(at, length);
        yield extent(0, SIZE, false);
      }
      await bitmapStore.merge('b', later());
      const real = ranges.filter(([, length]) => length > 0);
      expect(await bitmapExtentsOf(disk, 'b')).toEqual(dirtyExtents(real, SIZE, granularity));
      expect(await able(disk, 'check').check()).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
    }
  });

  test('extents that end with an error: the target has some of them, what it had before, and is consistent', async () => {
    await using disk = await marked();
    const { bitmapStore } = able(disk, 'bitmapStore');
    async function* failing(): AsyncGenerator<BitmapExtent> {
      yield extent(2_500_000, 1000);
      throw new DiskError('ERR_IO', 'the other image is gone');
    }
    expect((await diskErrorOf(() => bitmapStore.merge('fine', failing()))).code).toBe('ERR_IO');
    expect(bitmapsOf(disk)[0]).toMatchObject({ name: 'fine', consistent: true });
    expect(await bitmapExtentsOf(disk, 'fine')).toEqual(
      dirtyExtents([...RANGES, [2_500_000, 1000]], SIZE, 512),
    );
    expect((await diskErrorOf(() => bitmapStore.add({ name: 'new', dirty: failing() }))).code).toBe('ERR_IO');
    expect(bitmapsOf(disk).map(({ name }) => name)).toEqual(['fine', 'coarse', 'off']);
    expect(await able(disk, 'check').check()).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
  });

  test('bytes past the end of the disk are refused, and the bitmap stays good', async () => {
    await using disk = await marked();
    const { bitmapStore } = able(disk, 'bitmapStore');
    const error = await diskErrorOf(() => bitmapStore.merge('fine', [extent(SIZE - 10, 11)]));
    expect(error.code).toBe('ERR_OUT_OF_BOUNDS');
    expect(bitmapsOf(disk)[0]).toMatchObject({ name: 'fine', consistent: true });
  });

  test('a signal ends it', async () => {
    await using disk = await marked();
    const { bitmapStore } = able(disk, 'bitmapStore');
    const stop = new AbortController();
    async function* endless(): AsyncGenerator<BitmapExtent> {
      for (let at = 0; ; at = (at + 512) % 1_000_000) {
        if (at === 51_200) stop.abort();
        yield extent(at, 512);
      }
    }
    const work = bitmapStore.merge('off', endless(), { signal: stop.signal });
    expect((await diskErrorOf(() => work)).code).toBe('ERR_ABORTED');
    expect(bitmapsOf(disk).every(({ consistent }) => consistent)).toBe(true);
  });

  test('long work on bits lets the event loop run', async () => {
    await using disk = await image(512 * 600_000);
    const { bitmapStore } = able(disk, 'bitmapStore');
    function* everyOther(): Generator<BitmapExtent> {
      for (let unit = 0; unit < 600_000; unit += 2) yield extent(unit * 512, 512);
    }
    let turns = 0;
    let going = true;
    const turn = (): void => {
      turns++;
      if (going) setImmediate(turn);
    };
    turn();
    await bitmapStore.add({ name: 'b', granularity: 512, dirty: everyOther() });
    const ofAdding = turns;
    let count = 0;
    for await (const { dirty } of able(disk, 'bitmapExtents').bitmapExtents('b')) if (dirty) count++;
    going = false;
    expect(count).toBe(300_000);
    expect(ofAdding).toBeGreaterThan(3);
    expect(turns - ofAdding).toBeGreaterThan(3);
  });

  test('into one that is in use, or that there is not, is refused', async () => {
    const writing = await marked();
    await writing.write(0, noise(10, 1));
    const left = new MemoryDisk(await bytesOf(able(writing, 'downstream').downstream));
    await using disk = await disks.open(left, { mountMode: 'rw', format: 'qcow2' });
    const { bitmapStore } = able(disk, 'bitmapStore');
    expect((await diskErrorOf(() => bitmapStore.merge('fine', []))).reason).toContain('"fine" was not saved');
    expect((await diskErrorOf(() => bitmapStore.merge('nope', []))).code).toBe('ERR_NOT_FOUND');
    await writing.close();
  });
});

describeWithQemu('bitmaps that are merged', () => {
  test.each(['512', '4k', '64k', '1M'])(
    'from a granularity of %s: the bits are those of qemu-img',
    async (granularity) => {
      const path = join(await temp.next(), 'ours');
      const theirs = `${path}.theirs`;
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512', path, String(SIZE));
      await qemuImg('bitmap', '--add', '-g', granularity, path, 'from');
      await qemuIo(
        plainSource(path, 'qcow2'),
        RANGES.map(([offset, length]) => `write -q ${offset} ${length}`),
      );
      await qemuImg('bitmap', '--disable', path, 'from');
      for (const to of ['512', '8k', '256k']) {
        await qemuImg('bitmap', '--add', '-g', to, path, to);
        await qemuIo(plainSource(path, 'qcow2'), ['write -q 3M 1000']);
      }
      await cp(path, theirs);
      for (const to of ['512', '8k', '256k']) await qemuImg('bitmap', '--merge', 'from', theirs, to);
      const ours = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
      for (const to of ['512', '8k', '256k'])
        await able(ours, 'bitmapStore').bitmapStore.merge(
          to,
          able(ours, 'bitmapExtents').bitmapExtents('from'),
        );
      await ours.close();
      await using mine = await disks.open(path);
      await using qemus = await disks.open(theirs);
      expect(bitmapsOf(mine)).toEqual(bitmapsOf(qemus));
      for (const { name } of bitmapsOf(qemus))
        expect(await bitmapExtentsOf(mine, name)).toEqual(await bitmapExtentsOf(qemus, name));
      expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
    },
  );
});

async function bytesOf(disk: DiskModule): Promise<Uint8Array> {
  return (await disk.read(0, disk.size())).slice();
}
