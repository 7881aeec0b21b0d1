import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, type DiskModule, MemoryDisk } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { CrashDisk } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { checkDisk } from '../../support/check.ts';
import { noise } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { type ImagePatch, patchImage } from '../../support/image-patch.ts';
import { FORMATS } from '../../support/open.ts';
import { checkWithQemu, convertWithQemu, describeWithQemu, qemuImg, qemuIo } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const temp = tempFolder();
const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };

async function change<T>(path: string, work: (disk: DiskModule) => Promise<T>): Promise<T> {
  await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
  return await work(disk);
}

async function image(options: string, size: string, ...commands: string[]): Promise<string> {
  const path = join(await temp.next(), 'image');
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, size);
  await qemuIo(['-f', 'qcow2', path], commands);
  return path;
}

describeWithQemu('leaks that are given back', () => {
  test('the COPIED bits that follow are set, and a cut anywhere can be repaired', async () => {
    const path = await image('cluster_size=4k', '4M', 'write -q -P 7 0 300k', 'write -q -P 8 3M 64k');
    await qemuImg('snapshot', '-c', 'lost', path);
    await qemuIo(['-f', 'qcow2', path], ['write -q -P 9 0 64k']);
    await patchImage(path, (patch) => patch.u32(60, 0)); // the snapshot is forgotten, and all that it shares leaks
    const content = await convertWithQemu(path, 'qcow2');
    const start = await readFile(path);
    expect(await checkWithQemu(path)).toMatchObject({ corruptions: 0, errors: 0 });
    const storage = new CrashDisk(start);
    const disk = await disks.open(storage, { mountMode: 'rw', format: 'qcow2' });
    const { leaksFixed } = await able(disk, 'repair').repair({ fix: 'leaks' });
    expect(leaksFixed).toBeGreaterThan(90);
    await disk.close();
    for (let count = 0; count <= storage.events.length; count++) {
      const left = new MemoryDisk(storage.after(count));
      await left.init();
      const again = await disks.open(left, { mountMode: 'rw', format: 'qcow2' });
      await able(again, 'repair').repair({ fix: 'leaks' });
      expect(await checkDisk(again), `event ${count}`).toMatchObject(SOUND);
      expect(Buffer.compare(await again.read(0, content.length), content)).toBe(0);
      await again.close();
    }
    await change(path, (file) => able(file, 'repair').repair({ fix: 'leaks' }));
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    expect(Buffer.compare(await convertWithQemu(path, 'qcow2'), content)).toBe(0);
  });
});

const entry = (patch: ImagePatch, from: number, to: number): void =>
  patch.u64(patch.l2EntryAt(to), () => patch.bytes.readBigUInt64BE(patch.l2EntryAt(from)));

describeWithQemu('more references than a refcount can count', () => {
  const WRITE = 'write -q -s /dev/urandom 0 64k';
  const CASES: readonly (readonly [string, string, readonly string[], (patch: ImagePatch) => void])[] = [
    ['two entries name a cluster', 'refcount_bits=1', ['write -q -P 5 0 64k'], (patch) => entry(patch, 4, 3)],
    ['a hole names a cluster', 'refcount_bits=1', ['write -q -P 5 0 64k'], (patch) => entry(patch, 4, 100)],
    [
      'five entries name a cluster, three can be counted',
      'refcount_bits=2',
      ['write -q -P 5 0 64k'],
      (patch) => {
        for (const index of [100, 101, 102, 103]) entry(patch, 2, index);
      },
    ],
    [
      'preallocated zeroes',
      'refcount_bits=1',
      ['write -q -P 5 0 64k', 'write -q -z 0 8k'],
      (patch) => entry(patch, 0, 9),
    ],
    [
      'compressed clusters',
      'refcount_bits=1',
      ['write -q -P 5 8k 4k', 'write -q -c -P 6 0 4k'],
      (patch) => entry(patch, 0, 9),
    ],
    [
      'two L1 entries name a table',
      'refcount_bits=1',
      ['write -q -P 5 0 64k'],
      (patch) => patch.u64(patch.l1At + 8, () => patch.bytes.readBigUInt64BE(patch.l1At)),
    ],
    [
      'an entry names the refcount table',
      'refcount_bits=1',
      ['write -q -P 5 0 64k'],
      (patch) => patch.u64(patch.l2EntryAt(3), () => (1n << 63n) | BigInt(patch.refcountTableAt)),
    ],
  ];
  test.for(CASES)(
    '%s: each gets a copy, and later writes change one alone',
    async ([, options, commands, patch]) => {
      const path = await image(`cluster_size=4k,${options}`, '4M', ...commands);
      await patchImage(path, patch);
      const content = await convertWithQemu(path, 'qcow2');
      const plan = await change(path, (disk) => able(disk, 'repair').repair({ fix: 'all', dryRun: true }));
      expect(plan.corruptionsFixed).toBeGreaterThan(0);
      await change(path, (disk) => able(disk, 'repair').repair({ fix: 'all' }));
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
      expect(Buffer.compare(await convertWithQemu(path, 'qcow2'), content)).toBe(0);
      await change(path, (disk) => disk.write(9000, noise(9000, 1)));
      content.set(noise(9000, 1), 9000);
      expect(Buffer.compare(await convertWithQemu(path, 'qcow2'), content)).toBe(0);
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
    },
  );

  test('what is no data cannot be parted: a clear error, and nothing changes', async () => {
    const path = await image(
      'cluster_size=4k,refcount_bits=1',
      '64M',
      WRITE.replace('-s /dev/urandom', '-P 5'),
    );
    for (const name of ['one', 'two']) await qemuImg('bitmap', '--add', path, name);
    await patchImage(path, (patch) => {
      const directory = patch.place(patch.extensionAt(0x23852875) + 16);
      patch.u64(directory + 32, () => patch.bytes.readBigUInt64BE(directory)); // both have one table
    });
    const damaged = await readFile(path);
    await expect(change(path, (disk) => able(disk, 'repair').repair({ fix: 'all' }))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    expect((await readFile(path)).equals(damaged)).toBe(true);
  });
});

describeWithQemu('a snapshot that does not say how large its disk is', () => {
  /** Takes the disk size out of the extra data. */
  const strip = ({ bytes, snapshotsAt }: ImagePatch): void => {
    const text = bytes.readUInt16BE(snapshotsAt + 12) + bytes.readUInt16BE(snapshotsAt + 14);
    bytes.writeUInt32BE(8, snapshotsAt + 36);
    bytes.copyWithin(snapshotsAt + 48, snapshotsAt + 64, snapshotsAt + 64 + text);
  };
  const CHANGES: readonly (readonly [string, (disk: DiskModule) => Promise<unknown>])[] = [
    ['repaired', (disk) => able(disk, 'repair').repair({ fix: 'all' })],
    ['beside a new one', (disk) => able(disk, 'snapshots').snapshots.create('another')],
    ['applied', (disk) => able(disk, 'snapshots').snapshots.apply('kept')],
    ['beside one that is deleted', (disk) => able(disk, 'snapshots').snapshots.delete('second')],
    ['in an image that grows', (disk) => able(disk, 'resize').resize(8 * 2 ** 20)],
    ['in an image that shrinks', (disk) => able(disk, 'resize').resize(2 ** 20, { shrink: true })],
  ];
  test.for(CHANGES)('%s: it says the size that it had', async ([, work]) => {
    const path = await image('cluster_size=64k', '4M', 'write -q -P 7 0 3M');
    await qemuImg('snapshot', '-c', 'kept', path);
    await qemuImg('snapshot', '-c', 'second', path);
    await patchImage(path, (patch) => {
      const { bytes, snapshotsAt } = patch;
      const second = bytes.subarray(snapshotsAt + 72, snapshotsAt + 152);
      strip(patch);
      bytes.copyWithin(snapshotsAt + 56, snapshotsAt + 72, snapshotsAt + 72 + second.length);
    });
    expect((await checkWithQemu(path)).corruptions).toBe(1);
    await change(path, work);
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    await using disk = await disks.open(path, { format: 'qcow2', snapshot: 'kept' });
    expect(disk.size()).toBe(4 * 2 ** 20);
    expect(Buffer.compare(await disk.read(0, 3 * 2 ** 20), Buffer.alloc(3 * 2 ** 20, 7))).toBe(0);
  });
});
