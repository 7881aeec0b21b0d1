import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  borrow,
  can,
  createDisks,
  type DiskModule,
  type Disks,
  MemoryDisk,
  SliceDisk,
} from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf, type SpyDriver, spyDriver } from '@diskstack/core/testing';
import { lvm2 } from '@diskstack/lvm';
import { partition } from '@diskstack/partition';
import { createQcow, qcow, qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';
import { describe, expect, test } from 'vitest';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

// The owner of a disk writes the images inside it. Such an image has no folder on this computer: no name in it opens a file of
// this computer, on any way that leads to the image.

const folder = tempFolder();
const MIB = 1024 * 1024;
const SECRET = 'the bytes of another tenant';

writeFileSync(join(folder, 'secret.raw'), SECRET.padEnd(MIB, '.'));
mkdirSync(join(folder, 'sub'));
symlinkSync('../secret.raw', join(folder, 'sub', 'link.raw'));
symlinkSync('secret.raw', join(folder, 'link.raw'));

/** Names by which an image could mean the secret, as seen from the folder of the outer image. */
const NAMES = [
  'secret.raw',
  './secret.raw',
  'sub/../secret.raw',
  'sub/link.raw',
  'link.raw',
  join(folder, 'secret.raw'),
  `${folder}/sub/../secret.raw`,
  'file:secret.raw',
  `file:${join(folder, 'secret.raw')}`,
];

/** How an image names a file. */
const WAYS = ['base', 'data file'] as const;

async function image(way: (typeof WAYS)[number], name: string): Promise<Uint8Array> {
  const disk = new MemoryDisk(new Uint8Array(0));
  await disk.init();
  const data = new MemoryDisk(new Uint8Array(0));
  await data.init();
  await createQcow(disk, {
    size: MIB,
    ...(way === 'base' ? { backing: { name, format: 'raw' } } : { dataFile: { name, disk: data } }),
  });
  return disk.bytes.slice();
}

/** An image of the caller's own. */
async function overlayOn(name: string): Promise<Uint8Array> {
  const disk = new MemoryDisk(new Uint8Array(0));
  await disk.init();
  await createQcow(disk, { size: MIB, backing: { name, format: 'qcow2' } });
  return disk.bytes.slice();
}

/** A raw disk with one partition from 1 MiB on, and these bytes in it. */
function inPartition(bytes: Uint8Array): Uint8Array {
  const disk = new Uint8Array(4 * MIB);
  const view = new DataView(disk.buffer);
  disk.set([0x55, 0xaa], 510);
  disk.set([0, 0, 0, 0, 0x83], 446);
  view.setUint32(454, 2048, true);
  view.setUint32(458, 6144, true);
  disk.set(bytes, MIB);
  return disk;
}

/** A qcow2 image whose guest wrote these bytes at its byte 0. */
async function inGuest(bytes: Uint8Array): Promise<Uint8Array> {
  const disk = new MemoryDisk(new Uint8Array(0));
  await disk.init();
  await createQcow(disk, { size: 4 * MIB });
  await using guest = await createDisks({ formats: [qcow2] }).open(disk, {
    format: 'qcow2',
    mountMode: 'rw',
  });
  await guest.write(0, bytes);
  await guest.close();
  return disk.bytes.slice();
}

interface World {
  readonly disks: Disks;
  readonly driver: SpyDriver;
}

function world(): World {
  const driver = spyDriver(fileDriver());
  const disks = createDisks({
    formats: [raw, qcow, qcow2],
    drivers: [driver],
    layouts: [partition, lvm2],
  });
  return { disks, driver };
}

/** The refusal of an image, and that nothing but the outer image was opened for it. */
async function expectRefused(
  { driver }: World,
  outer: string,
  open: () => Promise<DiskModule>,
): Promise<void> {
  const error = await diskErrorOf(async () => {
    await using disk = await open();
    return await disk.read(0, 4096);
  });
  expect(error.code).toBe('ERR_BACKING_DENIED');
  const opened = driver.calls.filter(({ call }) => call === 'open').map(({ path }) => path);
  expect(opened.every((path) => path === outer)).toBe(true);
}

let files = 0;

/** Writes an outer image under a name of its own. */
function written(bytes: Uint8Array, name = 'outer'): string {
  const path = join(folder, `${name}-${files++}.img`);
  writeFileSync(path, bytes);
  return path;
}

describe.each(WAYS)('an image that names a %s', (way) => {
  test.each(NAMES)('%s, found in a partition', async (name) => {
    const outer = written(inPartition(await image(way, name)));
    const made = world();
    await expectRefused(made, outer, () => made.disks.openLayer(`${outer}#p1/qcow2`));
  });

  test.each(NAMES)('%s, found in the disk of an image', async (name) => {
    const outer = written(await inGuest(await image(way, name)));
    const made = world();
    await expectRefused(made, outer, () => made.disks.openLayer(`${outer}#qcow2`));
  });

  test.each(NAMES)('%s, found by a walk', async (name) => {
    for (const bytes of [inPartition(await image(way, name)), await inGuest(await image(way, name))]) {
      const outer = written(bytes);
      const { disks, driver } = world();
      const [node] = await disks.tree([outer]);
      expect(JSON.stringify(node)).not.toContain(SECRET);
      const opened = driver.calls.filter(({ call }) => call === 'open').map(({ path }) => path);
      expect(new Set(opened)).toEqual(new Set([outer]));
    }
  });

  test.each(NAMES)('%s, pushed on a disk of any kind', async (name) => {
    const bytes = inPartition(await image(way, name));
    const outer = written(bytes);
    const made = world();
    const lent = async (location?: string): Promise<DiskModule> => {
      const disk = borrow(new SliceDisk(new MemoryDisk(bytes, { location: outer }), MIB), {
        ...(location === undefined ? {} : { location }),
      });
      await disk.init();
      return disk;
    };
    for (const location of [undefined, outer, `${outer}#p1`, join(folder, 'x'), `${folder}/a.img#lv:vg/lv`]) {
      const disk = await lent(location);
      await expectRefused(made, outer, () => made.disks.push(disk, { format: 'qcow2' }));
    }
    const machine = made.disks.machine([outer]);
    await using layer = await machine.open(`${outer}#p1`);
    await expectRefused(made, outer, () => made.disks.push(layer, { format: 'qcow2' }));
    await machine.close();
  });

  test.each(NAMES)('%s, at an offset', async (name) => {
    const outer = written(inPartition(await image(way, name)));
    const made = world();
    await expectRefused(made, outer, () => made.disks.open(outer, { format: 'qcow2', offset: MIB }));
  });

  test.each(NAMES)('%s, in a folder that looks like an address', async (name) => {
    mkdirSync(join(folder, 'a.img#lv:vg'), { recursive: true });
    const outer = join(folder, 'a.img#lv:vg', `lv-${files++}.img`);
    writeFileSync(outer, inPartition(await image(way, name)));
    const made = world();
    await expectRefused(made, outer, () => made.disks.openLayer(`${outer}#p1/qcow2`));
  });

  test.each(['secret.raw', join(folder, 'secret.raw')])(
    '%s, as the base of an image of the caller',
    async (name) => {
      const inside = await image(way, name);
      const [volume, partitioned] = [written(inside), written(inPartition(inside))];
      const top = written(await overlayOn('/dev/vg0/base'), 'top');
      const part = { driver: 'raw', offset: MIB, file: { filename: partitioned } };
      const described = {
        driver: 'qcow2',
        file: { filename: top },
        backing: { driver: 'qcow2', file: part },
      };
      for (const source of [
        [top, '--volume', `/dev/vg0/base=${volume}`],
        [`json:${JSON.stringify(described)}`],
      ]) {
        const { status, stdout, stderr } = await runHere(
          'convert',
          '-O',
          'raw',
          ...source,
          join(folder, 'out.raw'),
        );
        expect({ status, stdout: stdout.length }).toEqual({ status: 1, stdout: 0 });
        expect(stderr).toMatch(/^diskstack: ERR_BACKING_DENIED: /);
        if (way !== 'base' || name === 'secret.raw') continue;
        const allowed = await runHere('read', '--raw', ...source, '0', '9', '--allow-backing', folder);
        expect(allowed.stdout.toString()).toBe(SECRET.slice(0, 9)); // so that the test can fail
      }
    },
  );

  test.each(['secret.raw', join(folder, 'secret.raw')])('%s, by the command', async (name) => {
    const partitioned = written(inPartition(await image(way, name)));
    const guest = written(await inGuest(await image(way, name)));
    for (const address of [`${partitioned}#p1/qcow2`, `${guest}#qcow2`]) {
      for (const command of [
        ['read', address, '0', '64'],
        ['digest', address],
        ['map', address],
        ['info', '--backing-chain', address],
        ['convert', '-O', 'raw', address, join(folder, 'out.raw')],
      ]) {
        const { status, stdout, stderr } = await runHere(...command);
        expect(status).toBe(1);
        expect(stderr).toMatch(/^diskstack: ERR_BACKING_DENIED: /);
        expect(stdout.toString()).not.toContain(SECRET.slice(0, 10));
      }
    }
  });
});

test('an image inside another disk can name, by a whole path, files that the caller allows', async () => {
  const { disks } = world();
  const outer = written(inPartition(await image('base', join(folder, 'secret.raw'))));
  await using disk = await disks.openLayer(`${outer}#p1/qcow2`, { allowBacking: [folder] });
  expect(Buffer.from(await disk.read(0, SECRET.length)).toString()).toBe(SECRET);

  const relative = written(inPartition(await image('base', 'secret.raw')));
  const error = await diskErrorOf(() => disks.openLayer(`${relative}#p1/qcow2`, { allowBacking: [folder] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
});

test('an image that is opened by its path still finds its base beside it', async () => {
  const { disks } = world();
  const overlay = written(await image('base', 'secret.raw'));
  await using disk = await disks.open(overlay);
  expect(Buffer.from(await disk.read(0, SECRET.length)).toString()).toBe(SECRET);
  await using layer = await disks.openLayer(overlay);
  expect(can(layer, 'chain') ? layer.chain().length : 0).toBe(2);
});

test('a path that the caller gives to bytes is a folder for their names', async () => {
  const { disks } = world();
  const bytes = await image('base', 'secret.raw');
  await using disk = await disks.open(bytes, { location: join(folder, 'anything') });
  expect(Buffer.from(await disk.read(0, SECRET.length)).toString()).toBe(SECRET);
});
