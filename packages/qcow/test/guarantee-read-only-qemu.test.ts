import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { can, createDisks, describeStack } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { spyDriver } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { bitmapExtentsOf } from './support/bitmaps.ts';
import { checkDisk } from './support/check.ts';
import {
  type Build,
  extended,
  oneBit,
  or,
  plain,
  withBitmap,
  withSnapshot,
  written,
} from './support/check-images.ts';
import { extentsOf } from './support/extents.ts';
import { patchImage } from './support/image-patch.ts';
import { keyed } from './support/keys.ts';
import { DEFAULT_LUKS } from './support/luks.ts';
import { FORMATS } from './support/open.ts';
import { describeWithQemu } from './support/qemu.ts';
import { KiB, MiB, makeImage, qcow1Kind, qcow2Kind } from './support/recipe.ts';
import { tempFolder } from './support/temp-folder.ts';

// Images of qemu, with every feature, are unchanged files after everything has been read from them.

const COMMANDS = ['write -q -s NOISE 0 64k', 'write -q -c -s TEXT 512k 4k'];
const SECRET = 'open sesame';
const AUTOCLEAR_AT = 88;

const encrypted =
  (options: string): Build =>
  (folder) =>
    makeImage(folder, {
      name: 'disk',
      kind: qcow2Kind('1.1', 4 * KiB, options),
      size: MiB,
      secret: SECRET,
      commands: ['write -q -s NOISE 0 64k'],
    });
const rawData: Build = (folder) =>
  written(
    qcow2Kind('1.1', 4 * KiB, `data_file=${folder}/data,data_file_raw=on`),
    COMMANDS.slice(0, 1),
  )(folder);
const overlay: Build = async (folder) => {
  const kind = qcow2Kind('1.1', 4 * KiB);
  await makeImage(folder, { name: 'base', kind, size: MiB, commands: COMMANDS });
  const backing = { name: 'base', format: 'qcow2' };
  return await makeImage(folder, {
    name: 'disk',
    kind,
    size: MiB,
    backing,
    commands: ['write -q -P 5 8k 4k'],
  });
};
/** Dirty, corrupt, and with autoclear bits that a writer must clear. */
const marked: Build = async (folder) => {
  const path = await withBitmap(folder);
  await patchImage(path, (image) => {
    image.u64(72, or(3n));
    image.u64(AUTOCLEAR_AT, or((1n << 63n) | (1n << 5n)));
  });
  return path;
};

const BUILDS: Readonly<Record<string, Build>> = {
  'version 1': written(qcow1Kind(4 * KiB)),
  'version 2': written(qcow2Kind('0.10', 4 * KiB)),
  'version 3': plain,
  'lazy refcounts': written(qcow2Kind('1.1', 4 * KiB, 'lazy_refcounts=on')),
  'refcounts of 1 bit': oneBit,
  'extended L2 entries': extended,
  'zstd clusters': written(qcow2Kind('1.1', 4 * KiB, 'compression_type=zstd')),
  'a snapshot': withSnapshot,
  'a bitmap': withBitmap,
  'a raw data file': rawData,
  'a base': overlay,
  LUKS: encrypted(DEFAULT_LUKS),
  'legacy AES': encrypted('encrypt.format=aes'),
  'marks of a crash and unknown autoclear bits': marked,
};

/** SHA-256 and date of each file of a folder. */
async function state(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries: [string, string][] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeNs, size } = await stat(path, { bigint: true });
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    entries.push([name, `${digest} ${size} ${mtimeNs}`]);
  }
  return Object.fromEntries(entries);
}

/** Reads everything that a disk and its image have. Returns what was read, so that a test can check it. */
async function readEverything(path: string) {
  const driver = spyDriver(fileDriver());
  const disks = createDisks({ formats: FORMATS, drivers: [driver], ...keyed(SECRET) });
  await disks.probe(path);
  const done = { bytes: 0, extents: 0, checked: 0, bitmapExtents: 0 };
  const open = async (options: { readonly snapshot?: string; readonly metadataOnly?: boolean }) => {
    await using disk = await disks.open(path, options);
    describeStack(disk);
    if (can(disk, 'info')) disk.info();
    if (can(disk, 'check')) done.checked += (await checkDisk(disk)).totalClusters;
    if (options.metadataOnly) return;
    done.extents += (await extentsOf(disk)).length;
    done.bytes += (await disk.read(0, disk.size())).length;
    if (!can(disk, 'bitmaps')) return;
    for (const { name } of disk.bitmaps()) done.bitmapExtents += (await bitmapExtentsOf(disk, name)).length;
  };
  await open({});
  await open({ metadataOnly: true });
  return { driver, done, open };
}

describeWithQemu('an image that is read is left alone', () => {
  const temp = tempFolder();

  test.each(Object.entries(BUILDS))('with %s', async (what, build) => {
    const folder = await temp.next();
    const path = await build(folder);
    const before = await state(folder);
    const autoclear = (await readFile(path)).subarray(AUTOCLEAR_AT, AUTOCLEAR_AT + 8);

    const { driver, done, open } = await readEverything(path);
    if (what === 'a snapshot') await open({ snapshot: 'one' });

    expect(done.bytes).toBeGreaterThanOrEqual(MiB);
    expect(done.extents).toBeGreaterThan(0);
    if (what !== 'version 1') expect(done.checked).toBeGreaterThan(0);
    if (what === 'a bitmap') expect(done.bitmapExtents).toBeGreaterThan(1);
    const opens = driver.calls.filter(({ call }) => call === 'open');
    expect(opens.length).toBeGreaterThanOrEqual(3);
    expect(opens.filter(({ writable }) => writable !== false)).toEqual([]);
    expect(driver.openDisks).toBe(0);
    expect((await readFile(path)).subarray(AUTOCLEAR_AT, AUTOCLEAR_AT + 8)).toEqual(autoclear);
    expect(await state(folder)).toEqual(before);
  });

  test.each([
    ['a bitmap', withBitmap, 1n],
    ['a raw data file', rawData, 2n],
    ['unknown bits', marked, (1n << 63n) | (1n << 5n) | 1n],
  ] as const)('its autoclear bits stay set: %s', async (_, build, bits) => {
    const folder = await temp.next();
    const path = await build(folder);
    await readEverything(path);
    expect((await readFile(path)).readBigUInt64BE(AUTOCLEAR_AT)).toBe(bits);
  });
});
