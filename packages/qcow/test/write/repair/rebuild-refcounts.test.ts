import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { noise } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { type ImagePatch, patchImage } from '../../support/image-patch.ts';
import { FORMATS } from '../../support/open.ts';
import { checkWithQemu, convertWithQemu, describeWithQemu, qemuImg, qemuIo } from '../../support/qemu.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const temp = tempFolder();
const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };

const SHAPES = [
  'cluster_size=64k',
  'cluster_size=512',
  'cluster_size=512,refcount_bits=64',
  'cluster_size=4k,refcount_bits=32',
  'cluster_size=2M,compat=0.10',
];

const DAMAGES: readonly (readonly [string, (image: ImagePatch) => void])[] = [
  ['a block past the end of the file', (image) => image.u64(image.refcountTableAt + 8, () => 0xff00_0000n)],
  ['a block where no file reaches', (image) => image.u64(image.refcountTableAt + 8, () => 0xa1n << 56n)],
  ['reserved bits', (image) => image.u64(image.refcountTableAt, (entry) => entry | 0x101n)],
  [
    'a block in the middle of a cluster',
    (image) => image.u64(image.refcountTableAt, (entry) => entry + 0x200n),
  ],
  ['a block where an L2 table is', (image) => image.u64(image.refcountTableAt, () => BigInt(image.l2At()))],
  ['no first block', (image) => image.u64(image.refcountTableAt, () => 0n)],
  ['a table past the end of the file', (image) => image.u64(48, () => 2n ** 40n)],
];

describeWithQemu('refcounts that are damaged themselves', () => {
  test.for(SHAPES.flatMap((shape) => DAMAGES.map(([what, damage]) => [shape, what, damage] as const)))(
    '%s, %s: they are built anew',
    async ([shape, , damage]) => {
      const path = join(await temp.next(), 'image');
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', shape, path, '16M');
      await qemuIo(['-f', 'qcow2', path], ['write -P 7 1M 300k', 'write -c -P 8 4M 2M', 'write -z 8M 2M']);
      await qemuImg('snapshot', '-c', 'kept', path);
      await qemuIo(['-f', 'qcow2', path], ['write -P 9 1100k 100k']);
      const content = await convertWithQemu(path, 'qcow2');
      await patchImage(path, damage);
      const damaged = await readFile(path);
      {
        await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2', metadataOnly: true });
        const plan = await able(disk, 'repair').repair({ fix: 'all', dryRun: true });
        expect(plan.corruptionsFixed).toBeGreaterThan(0);
      }
      expect((await readFile(path)).equals(damaged)).toBe(true);
      {
        await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
        await able(disk, 'repair').repair({ fix: 'all' });
        await disk.write(12_000_000, noise(100_000, 1));
      }
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
      content.set(noise(100_000, 1), 12_000_000);
      expect(Buffer.compare(await convertWithQemu(path, 'qcow2'), content)).toBe(0);
      await qemuImg('snapshot', '-a', 'kept', path);
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
    },
  );

  test('a refcount of 64 bits that no number can hold is lowered to what it has to be', async () => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'refcount_bits=64', path, '1M');
    await qemuIo(['-f', 'qcow2', path], ['write -P 7 0 1M']);
    await patchImage(path, (image) => {
      image.u64(image.place(image.refcountTableAt) + 10 * 8, () => 0x9c00_0000_0000_1234n);
    });
    expect((await checkWithQemu(path)).leaks).toBe(1);
    await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
    expect(await able(disk, 'repair').repair({ fix: 'leaks' })).toMatchObject({ leaksFixed: 1 });
    await disk.close();
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('nothing is written before they are', async () => {
    const path = join(await temp.next(), 'image');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '1M');
    await patchImage(path, (image) => image.u64(image.refcountTableAt, (entry) => entry + 0x200n));
    const before = await readFile(path);
    await using disk = await disks.open(path, { mountMode: 'rw', format: 'qcow2' });
    await expect(disk.write(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'ERR_READ_ONLY' });
    await expect(able(disk, 'repair').repair({ fix: 'leaks' })).rejects.toMatchObject({
      code: 'ERR_CORRUPT',
    });
    await disk.close();
    expect((await readFile(path)).equals(before)).toBe(true);
  });
});
