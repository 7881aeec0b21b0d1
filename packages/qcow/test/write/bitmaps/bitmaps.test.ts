import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskModule } from '@diskstack/core';
import { expect, test } from 'vitest';
import { bitmapExtentsOf, bitmapsOf, dirtyExtents } from '../../support/bitmaps.ts';
import { noise, type Random, random } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { bitsOf, changed, marked, open, SECRET } from '../../support/marked-image.ts';
import {
  checkWithQemu,
  describeWithQemu,
  encryptedSource,
  plainSource,
  qemuImg,
  qemuIo,
  secretObject,
} from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const temp = tempFolder();
const KiB = 1024;
const MiB = 1024 * KiB;
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };

/** Changes of every kind, as a command of qemu-io and as a call of a disk. */
interface Change {
  readonly command: string;
  run(disk: DiskModule): Promise<unknown>;
}

/** Compressed clusters are written once, after this byte; everything else is before it. */
const COMPRESSED = 6 * MiB;

function randomChange(next: Random, clusterSize: number, compressed: number | undefined): Change {
  const offset = next(COMPRESSED);
  const length = 1 + next(Math.min(COMPRESSED - offset, next(3) === 0 ? 600_000 : 9000));
  switch (next(compressed === undefined ? 4 : 5)) {
    case 0:
    case 1:
      return {
        command: `write -q -P 7 ${offset} ${length}`,
        run: (disk) => disk.write(offset, new Uint8Array(length).fill(7)),
      };
    case 2:
      return {
        command: `write -q -z ${offset} ${length}`,
        run: (disk) => able(disk, 'writeZeroes').writeZeroes(offset, length),
      };
    case 3:
      return {
        command: `discard -q ${offset} ${length}`,
        run: (disk) => able(disk, 'discard').discard(offset, length),
      };
    default: {
      const at = COMPRESSED + (compressed ?? 0) * clusterSize;
      return {
        command: `write -q -c -P 9 ${at} ${clusterSize}`,
        run: (disk) => able(disk, 'writeCompressed').writeCompressed(at, new Uint8Array(clusterSize).fill(9)),
      };
    }
  }
}

describeWithQemu('bitmaps of an image that is written', () => {
  test.for([
    ['compat=1.1', 64 * KiB],
    ['cluster_size=512', 512],
    ['cluster_size=4096,compression_type=zstd', 4096],
    ['cluster_size=2M', 2 * MiB],
    ['extended_l2=on,cluster_size=16k', 16 * KiB],
    ['lazy_refcounts=on,refcount_bits=1', 64 * KiB],
    ['data_file=DATA', 64 * KiB],
    ['data_file=DATA,data_file_raw=on', 64 * KiB],
    ['encrypt.format=luks,encrypt.iter-time=10,encrypt.key-secret=key', 64 * KiB],
    ['encrypt.format=aes,encrypt.key-secret=key', 64 * KiB],
  ] as const)('%s: the bits are those that qemu would have', async ([options, clusterSize], { expect }) => {
    const folder = await temp.next();
    const size = 9 * MiB + 512;
    const encrypted = options.includes('encrypt');
    const source = (path: string): readonly string[] =>
      encrypted ? encryptedSource(path, 'qcow2', SECRET) : plainSource(path, 'qcow2');
    const paths = ['theirs', 'ours'].map((name) => join(folder, name)) as [string, string];
    for (const path of paths) {
      const o = options.replace('DATA', `${path}.data`);
      const key = encrypted ? secretObject(SECRET) : [];
      await qemuImg('create', '-q', '-f', 'qcow2', ...key, '-o', o, path, String(size));
      const image = encrypted ? source(path) : [path];
      await qemuImg('bitmap', '--add', ...image, 'default');
      for (const granularity of ['512', '4k', '1M', '4M'])
        await qemuImg('bitmap', '--add', '-g', granularity, ...image, granularity);
      await qemuImg('bitmap', '--add', '--disable', ...image, 'off');
    }
    const next = random(clusterSize);
    const compress = !encrypted && !options.includes('data_file') && clusterSize < MiB;
    for (let session = 0; session < 3; session++) {
      const changes = Array.from({ length: 12 }, (_, index) =>
        randomChange(next, clusterSize, compress ? session * 12 + index : undefined),
      );
      await qemuIo(
        source(paths[0]),
        changes.map(({ command }) => command),
      );
      await changed(paths[1], async (disk) => {
        for (const change of changes) await change.run(disk);
      });
      expect(await bitsOf(paths[1])).toEqual(await bitsOf(paths[0]));
    }
    expect(await checkWithQemu(...source(paths[1]))).toMatchObject(SOUND);
    // qemu loads our stored bitmaps and continues, and so do we.
    await qemuIo(source(paths[1]), ['write -q -P 3 5M 10k']);
    await qemuIo(source(paths[0]), ['write -q -P 3 5M 10k']);
    expect(await bitsOf(paths[1])).toEqual(await bitsOf(paths[0]));
  });

  test('plain writes: each bit is dirty that a write has touched, and no other', async () => {
    const size = 70 * MiB;
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512', path, String(size));
    await qemuImg('bitmap', '--add', '-g', '512', path, 'fine');
    await qemuImg('bitmap', '--add', '-g', '32k', path, 'coarse');
    const next = random(4);
    const ranges = Array.from({ length: 60 }, () => [next(size - 70_000), 1 + next(70_000)] as const);
    await changed(path, (disk) =>
      Promise.all(ranges.map(([offset, length]) => disk.write(offset, noise(length, 1)))),
    );
    await using disk = await open(path);
    expect(await bitmapExtentsOf(disk, 'fine')).toEqual(dirtyExtents(ranges, size, 512));
    expect(await bitmapExtentsOf(disk, 'coarse')).toEqual(dirtyExtents(ranges, size, 32 * KiB));
    expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject(SOUND);
  });

  test('while the image is written, it says in use, and the disk itself knows the bits', async () => {
    const path = await marked(await temp.next());
    const before = await bitsOf(path);
    const writing = await open(path, 'rw');
    await writing.write(MiB, noise(5000, 1));
    await able(writing, 'flush').flush();
    expect(bitmapsOf(writing)).toMatchObject([
      { name: 'coarse', flags: ['auto'], consistent: true },
      { name: 'fine', flags: ['auto'], consistent: true },
      { name: 'off', flags: [], consistent: true },
    ]);
    const expected = dirtyExtents(
      [
        [100 * KiB, 30 * KiB],
        [MiB, 5000],
      ],
      4 * MiB,
      4096,
    );
    expect(await bitmapExtentsOf(writing, 'fine')).toEqual(expected);
    {
      await using disk = await open(path);
      expect(bitmapsOf(disk)).toMatchObject([
        { name: 'coarse', flags: ['in-use', 'auto'], consistent: false },
        { name: 'fine', flags: ['in-use', 'auto'], consistent: false },
        { name: 'off', flags: [], consistent: true },
      ]);
      await expect(bitmapExtentsOf(disk, 'fine')).rejects.toMatchObject({ code: 'ERR_CORRUPT' });
    }
    await writing.close();
    const after = await bitsOf(path);
    expect(after).toMatchObject({ fine: { extents: expected }, off: before.off });
  });

  test('one that was in use before stays so, bit for bit', async () => {
    const path = await marked(await temp.next());
    await qemuIo(plainSource(path, 'qcow2'), ['write -q -P 7 0 1k', 'abort']).catch(() => {});
    await changed(path, (disk) => disk.write(0, noise(100_000, 1)));
    await using disk = await open(path);
    expect(bitmapsOf(disk).map(({ consistent }) => consistent)).toEqual([false, false, false]);
    expect(await bitmapExtentsOf(disk, 'fine', { asStored: true })).toEqual(
      dirtyExtents([[100 * KiB, 30 * KiB]], 4 * MiB, 4096),
    );
    expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject(SOUND);
  });

  test('a write that fails counts as one', async () => {
    const path = await marked(await temp.next());
    const disk = await open(path, 'rw');
    const aborted = AbortSignal.timeout(0);
    const writes = Array.from({ length: 20 }, (_, index) =>
      disk.write(MiB + index * 100_000, noise(90_000, index), { signal: aborted }),
    );
    const results = await Promise.allSettled(writes);
    const content = await disk.read(0, disk.size());
    await disk.close();
    await using after = await open(path);
    for (const { offset, length, dirty } of await bitmapExtentsOf(after, 'fine')) {
      if (dirty || offset < MiB) continue;
      expect(content.subarray(offset, offset + length).every((byte) => byte === 0)).toBe(true);
    }
    expect(results).toHaveLength(20);
  });

  test('one whose bits cannot be found is left in use by the first write, and the others are kept', async () => {
    const path = await marked(await temp.next());
    const image = await readFile(path);
    const extension = image.indexOf(Uint8Array.of(0x23, 0x85, 0x28, 0x75));
    const directory = Number(image.readBigUInt64BE(extension + 24));
    expect(image.toString('latin1', directory + 24, directory + 30)).toBe('coarse');
    const table = Number(image.readBigUInt64BE(directory));
    image.writeBigUInt64BE(0x4000_0000n, table); // past the end of the file
    await writeFile(path, image);
    await changed(path, async (disk) => {
      await expect(able(disk, 'bitmapStore').bitmapStore.merge('coarse', [])).rejects.toMatchObject({
        code: 'ERR_CORRUPT',
      });
    });
    await changed(path, (disk) => disk.write(MiB, noise(1000, 1)));
    await using disk = await open(path);
    expect(bitmapsOf(disk)).toMatchObject([
      { name: 'coarse', flags: ['in-use', 'auto'], consistent: false },
      { name: 'fine', consistent: true },
      { name: 'off', consistent: true },
    ]);
    await disk.close();
    await changed(path, (writing) => able(writing, 'bitmapStore').bitmapStore.remove('coarse'));
    expect(Object.keys(await bitsOf(path))).toEqual(['fine', 'off']);
    expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject({ ...SOUND, leaks: 1 });
  });
});
