import { expect, test, vi } from 'vitest';
import type { VolumeManager } from '../../src/contracts/volume-manager.ts';
import { borrow } from '../../src/disks/borrowed-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { deny, filesBelowRoots, firstOf, volumes } from '../../src/stack/backing-gate.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import type { Entry } from '../support/memory-driver.ts';
import { BLOCK, overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

/** Logical volumes by path; `find` records what it was asked for. */
function managerOf(contents: Readonly<Record<string, Uint8Array>>) {
  const asked: string[] = [];
  const lent: MemoryDisk[] = [];
  const manager: VolumeManager = {
    async find(path) {
      asked.push(path);
      const bytes = contents[path];
      if (bytes === undefined) return undefined;
      const volume = new MemoryDisk(bytes, { writable: false });
      lent.push(volume);
      return { path, disk: borrow(volume, { diskType: 'LVM2', location: path }) };
    },
    list: async () => Object.keys(contents),
  };
  return { manager, asked, lent };
}

function naming(
  base: string,
  contents: Readonly<Record<string, Uint8Array>>,
  entries: Readonly<Record<string, Entry>> = {},
) {
  const { manager, asked } = managerOf(contents);
  return { asked, ...world({ '/img/top': overlayImage({ base }), ...entries }, { volumeManager: manager }) };
}

async function baseByte({ disks }: ReturnType<typeof naming>): Promise<number | undefined> {
  await using top = await disks.open('/img/top');
  return (await top.read(BLOCK, 1))[0];
}

test.for([
  ['by its last part in the folder of the image', 'lv', '/img/lv'],
  ['by its last part, whatever comes before', '/mnt/elsewhere/lv', '/img/lv'],
  ['by its last part behind a way up', '../../lv', '/img/lv'],
  ['by its whole path', '/dev/vg/lv', '/dev/vg/lv'],
  ['by its whole path, without dots', '/dev/./vg/../vg//lv', '/dev/vg/lv'],
  ['by a path as seen from the folder of the image', '../dev/vg/lv', '/dev/vg/lv'],
] as const)('finds a volume %s', async ([, base, volume]) => {
  expect(await baseByte(naming(base, { [volume]: filled(5) }))).toBe(5);
});

test('asks for the last part first, and for the whole path then', async () => {
  const { disks, asked } = naming('/dev/vg/lv', {});
  await diskErrorOf(() => disks.open('/img/top'));
  expect(asked).toEqual(['/img/lv', '/dev/vg/lv']);
});

test('the last part in the folder wins over the whole path', async () => {
  expect(await baseByte(naming('/dev/vg/lv', { '/dev/vg/lv': filled(5), '/img/lv': filled(6) }))).toBe(6);
});

test.for<[string, Entry]>([
  ['a regular file', filled(7)],
  ['a symbolic link', { symlink: 'file' }],
])('%s at the path wins over a volume', async ([, entry]) => {
  const world = naming('lv', { '/img/lv': filled(5) }, { '/img/lv': entry, '/img/file': filled(7) });
  expect(await baseByte(world)).toBe(7);
  expect(world.asked).toEqual([]);
});

test.for<[string, Entry]>([
  ['a device', { device: filled(7) }],
  ['a folder', { folder: true }],
])('a volume wins over %s at the path', async ([, entry]) => {
  expect(await baseByte(naming('/dev/vg/lv', { '/dev/vg/lv': filled(5) }, { '/dev/vg/lv': entry }))).toBe(5);
});

test('a dangling symbolic link at the path hides a volume all the same', async () => {
  const { disks, asked } = naming('lv', { '/img/lv': filled(5) }, { '/img/lv': { symlink: 'missing' } });
  await diskErrorOf(() => disks.open('/img/top'));
  expect(asked).toEqual([]);
});

test('a name that no volume has goes on to the files', async () => {
  expect(await baseByte(naming('base', { '/img/lv': filled(5) }, { '/img/base': filled(7) }))).toBe(7);
});

test('the content of a volume is probed, and its image is stacked on it', async () => {
  const { disks } = naming('/dev/vg/lv', {
    '/dev/vg/lv': overlayImage({ base: '/dev/vg/golden', fill: 2, owned: 2 }),
    '/dev/vg/golden': filled(3),
  });
  await using top = await disks.open('/img/top');
  const bytes = await top.read(0, 9999);
  expect([512, 1023, 1024].map((at) => bytes[at])).toEqual([2, 2, 3]);
});

test('a relative name in a volume is resolved against the path of the volume', async () => {
  const { disks, asked } = naming('/dev/vg/lv', { '/dev/vg/lv': overlayImage({ base: 'golden' }) });
  await diskErrorOf(() => disks.open('/img/top'));
  expect(asked).toEqual(['/img/lv', '/dev/vg/lv', '/dev/vg/golden', '/dev/vg/golden']);
});

test('closing the stack leaves the volume open for others', async () => {
  const { manager, lent } = managerOf({ '/dev/vg/lv': filled(5) });
  const { disks } = world({ '/img/top': overlayImage({ base: '/dev/vg/lv' }) }, { volumeManager: manager });
  const top = await disks.open('/img/top');
  const [volume] = lent;
  const close = vi.spyOn(volume ?? new MemoryDisk(filled(0)), 'close');
  await top.close();
  expect(close).not.toHaveBeenCalled();
  expect(await volume?.read(0, 1)).toEqual(Uint8Array.of(5));
});

test('volumes are found without any storage driver', async () => {
  const { manager } = managerOf({ '/dev/vg/lv': filled(5) });
  const { disks } = world({}, { drivers: [], volumeManager: manager });
  await using disk = await disks.open(overlayImage({ base: '/dev/vg/lv' }));
  expect((await disk.read(BLOCK, 1))[0]).toBe(5);
});

test('a volume that names itself is a loop', async () => {
  const { disks, driver } = naming('/dev/vg/lv', { '/dev/vg/lv': overlayImage({ base: '/dev/vg/lv' }) });
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_BACKING_LOOP');
  expect(driver.openDisks).toBe(0);
});

test('an image on a volume that leads back to this volume is a loop', async () => {
  const { manager } = managerOf({ '/dev/vg/lv': overlayImage({ base: '/dev/vg/lv' }) });
  const { disks } = world({}, { volumeManager: manager });
  const found = await manager.find('/dev/vg/lv');
  await using volume = found?.disk ?? new MemoryDisk(filled(0));
  await volume.init();
  expect((await diskErrorOf(() => disks.push(volume))).code).toBe('ERR_BACKING_LOOP');
});

test("gate 'deny' opens no volume either", async () => {
  const { disks, asked } = naming('/dev/vg/lv', { '/dev/vg/lv': filled(5) });
  expect((await diskErrorOf(() => disks.open('/img/top', { gate: 'deny' }))).code).toBe('ERR_BACKING_DENIED');
  expect(asked).toEqual([]);
});

test('a gate of the caller replaces the one of the program', async () => {
  const { manager } = managerOf({ '/img/base': filled(5) });
  const { disks } = world(
    { '/img/top': overlayImage({ base: 'base' }), '/img/base': filled(7) },
    { gate: deny },
  );
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_BACKING_DENIED');
  await using files = await disks.open('/img/top', { gate: filesBelowRoots });
  expect((await files.read(BLOCK, 1))[0]).toBe(7);
  const nothing = volumes({ ...manager, find: async () => undefined });
  await using first = await disks.open('/img/top', { gate: firstOf(nothing, filesBelowRoots) });
  expect((await first.read(BLOCK, 1))[0]).toBe(7);
});

test('of several resolvers the first answer counts, and later ones are not asked', async () => {
  const found = { disk: new MemoryDisk(filled(9)), location: '/found', identity: 'found' };
  const later = vi.fn(filesBelowRoots);
  const { disks } = world(
    { '/img/top': overlayImage({ base: 'anything at all' }) },
    {
      gate: firstOf(
        async () => undefined,
        async () => found,
        later,
      ),
    },
  );
  await using top = await disks.open('/img/top');
  expect((await top.read(BLOCK, 1))[0]).toBe(9);
  expect(later).not.toHaveBeenCalled();
});
