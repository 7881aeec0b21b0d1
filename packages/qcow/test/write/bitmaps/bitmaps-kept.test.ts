import { cp, readFile, writeFile } from 'node:fs/promises';
import { commit, type DiskModule, rebase } from '@diskstack/core';
import { expect, test } from 'vitest';
import { bitmapExtentsOf, bitmapsOf } from '../../support/bitmaps.ts';
import { noise, text } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { bitsOf, changed, marked, open } from '../../support/marked-image.ts';
import { checkWithQemu, describeWithQemu, plainSource, qemuImg, qemuIo } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const temp = tempFolder();
const KiB = 1024;
const MiB = 1024 * KiB;
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };

describeWithQemu('bitmaps of an image that is changed as a whole', () => {
  test.each<readonly [string, (disk: DiskModule) => Promise<unknown>]>([
    ['a snapshot is taken', (disk) => able(disk, 'snapshots').snapshots.create('two')],
    ['a snapshot is deleted', (disk) => able(disk, 'snapshots').snapshots.delete('one')],
    ['the base is changed', (disk) => able(disk, 'changeBacking').changeBacking(undefined)],
    ['the image is repaired', (disk) => able(disk, 'repair').repair({ fix: 'all' })],
    ['leaks are given back', (disk) => able(disk, 'repair').repair({ fix: 'leaks' })],
    ['another bitmap is added', (disk) => able(disk, 'bitmapStore').bitmapStore.add({ name: 'more' })],
    ['another bitmap is removed', (disk) => able(disk, 'bitmapStore').bitmapStore.remove('other')],
    ['it is safely rebased', (disk) => rebase(disk, undefined)],
  ])('when %s, all bitmaps stay as they are', async (_, work) => {
    const path = await marked(await temp.next());
    await writeFile(`${path}.base`, noise(MiB, 5));
    await qemuImg('rebase', '-u', '-b', `${path}.base`, '-F', 'raw', path);
    await qemuImg('snapshot', '-c', 'one', path);
    await qemuImg('bitmap', '--add', path, 'other');
    const before = await bitsOf(path);
    await changed(path, work);
    const after = await bitsOf(path);
    for (const name of ['coarse', 'fine', 'off']) {
      // A safe rebase copies content of the old base into the image. That may count as a change.
      if (work.toString().includes('rebase') && name !== 'off') continue;
      expect(after[name]).toEqual(before[name]);
    }
    expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject(SOUND);
    await qemuIo(plainSource(path, 'qcow2'), ['write -q -P 3 3M 10k']);
    await bitsOf(path);
  });

  test.each([
    [4 * MiB, 6 * MiB + 512],
    [4 * MiB, MiB + 300 * KiB + 512],
    [4 * MiB, 110 * KiB + 512],
    [4 * MiB, 50 * MiB],
    [50 * MiB, 3 * MiB],
  ])('resized from %i to %i bytes, they are as qemu makes them', async (old, size) => {
    for (const options of ['compat=1.1', 'cluster_size=512']) {
      const ours = await marked(await temp.next(), old, options);
      const theirs = `${ours}.theirs`;
      await qemuIo(plainSource(ours, 'qcow2'), [`write -q -P 9 ${old - 700 * KiB} 690k`]);
      await cp(ours, theirs);
      await changed(ours, async (disk) => {
        await disk.write(5000, noise(100, 1));
        await able(disk, 'resize').resize(size, { shrink: true });
        await disk.write(size - 3, noise(3, 1));
      });
      await qemuIo(plainSource(theirs, 'qcow2'), ['write -q 5000 100']);
      await qemuImg('resize', '-q', '--shrink', '-f', 'qcow2', theirs, String(size));
      await qemuIo(plainSource(theirs, 'qcow2'), [`write -q ${size - 3} 3`]);
      expect(await bitsOf(ours)).toEqual(await bitsOf(theirs));
      expect(await checkWithQemu('-f', 'qcow2', ours)).toMatchObject(SOUND);
      await qemuIo(plainSource(ours, 'qcow2'), ['write -q -P 3 0 10k']);
      await bitsOf(ours);
    }
  });

  test.each([
    ['the place of the refcount block', 64 * KiB, 8],
    ['the refcounts', 128 * KiB, 40],
  ])('when %s was lost and is built anew, all bitmaps stay as they are', async (_, at, length) => {
    const path = await marked(await temp.next());
    const before = await bitsOf(path);
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0, at, at + length));
    expect((await checkWithQemu('-f', 'qcow2', path)).corruptions).toBeGreaterThan(0);
    await changed(path, (disk) => able(disk, 'repair').repair({ fix: 'all' }));
    expect(await bitsOf(path)).toEqual(before);
    expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject(SOUND);
  });

  test('a size for which a bitmap would be too long is refused before anything is changed', async () => {
    const path = await marked(await temp.next());
    const before = await readFile(path);
    await changed(path, async (disk) => {
      await expect(able(disk, 'resize').resize(2 ** 42)).rejects.toMatchObject({
        code: 'ERR_ARGUMENT',
        reason: expect.stringContaining('"off"'),
      });
    });
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  test.each([2 * MiB, 5 * MiB])(
    'a snapshot is applied to a disk of %i bytes: what differs is dirty',
    async (size) => {
      for (const options of ['compat=1.1', 'cluster_size=4096', 'extended_l2=on,cluster_size=16k']) {
        const path = await marked(await temp.next(), 4 * MiB, options);
        await changed(path, async (disk) => {
          await disk.write(3 * MiB, noise(100_000, 1));
          await able(disk, 'writeCompressed').writeCompressed(
            2 * MiB,
            text(able(disk, 'info').info().clusterSize ?? 0, 1),
          );
          await able(disk, 'snapshots').snapshots.create('one');
          const { bitmapStore } = able(disk, 'bitmapStore');
          for (const name of ['coarse', 'fine', 'off']) await bitmapStore.clear(name);
        });
        const start = await contentOf(path);
        await changed(path, async (disk) => {
          await able(disk, 'resize').resize(size, { shrink: true });
          await disk.write(MiB, noise(70_000, 2));
          const { bitmapStore } = able(disk, 'bitmapStore');
          for (const name of ['coarse', 'fine', 'off']) await bitmapStore.clear(name);
        });
        const before = await contentOf(path);
        await changed(path, (disk) => able(disk, 'snapshots').snapshots.apply('one'));
        expect((await contentOf(path)).equals(start)).toBe(true);
        await using disk = await open(path);
        for (const name of ['coarse', 'fine']) {
          const extents = await bitmapExtentsOf(disk, name);
          expect(extents.at(-1)).toMatchObject({ dirty: size < 4 * MiB });
          expect(extents[0]).toMatchObject({ offset: 0, dirty: false });
          for (const { offset, length, dirty } of extents) {
            if (dirty) continue;
            const end = offset + length;
            expect(start.subarray(offset, end).equals(before.subarray(offset, end))).toBe(true);
          }
        }
        expect(bitmapsOf(disk).every(({ consistent }) => consistent)).toBe(true);
        expect((await bitmapExtentsOf(disk, 'off')).every(({ dirty }) => !dirty)).toBe(true);
        expect(await checkWithQemu('-f', 'qcow2', path)).toMatchObject(SOUND);
      }
    },
  );

  test('what is committed into a base is dirty there, as by qemu-img commit', async () => {
    const base = await marked(await temp.next());
    const top = `${base}.top`;
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top, String(5 * MiB));
    await qemuIo(plainSource(top, 'qcow2'), [
      'write -q -P 4 1M 100k',
      'write -q -z 2M 300k',
      'write -q -P 5 4200k 10k',
    ]);
    const theirs = `${base}.theirs`;
    await cp(base, theirs);
    await cp(top, `${top}.theirs`);
    await qemuImg('rebase', '-u', '-b', theirs, '-F', 'qcow2', `${top}.theirs`);
    await qemuImg('commit', '-q', '-d', '-f', 'qcow2', `${top}.theirs`);
    {
      await using overlay = await open(top);
      await changed(base, (disk) => commit(overlay, disk));
    }
    expect(await bitsOf(base)).toEqual(await bitsOf(theirs));
    expect(await checkWithQemu('-f', 'qcow2', base)).toMatchObject(SOUND);
  });
});

async function contentOf(path: string): Promise<Buffer> {
  await using disk = await open(path);
  return Buffer.from(await disk.read(0, disk.size()));
}
