import { expect, test } from 'vitest';
import type { DiskFormat, MountMode } from '../../src/contracts/disk-format.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { diskErrorOf, pattern } from '../../src/testing/index.ts';
import { BLOCK, GUEST_BYTES, overlay, overlayImage, plain } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

const image = overlayImage({ fill: 0x11, owned: 8 });
const guest = filled(0x11, GUEST_BYTES);

test.for([
  ['a path', '/img/top.ovl'],
  ['a path with the scheme of a driver', 'memory:/img/top.ovl'],
  ['bytes', image],
  ['a Blob', new Blob([image])],
  ['a File', new File([image], 'top.ovl')],
] as const)('opens %s', async ([, source]) => {
  const { disks } = world({ '/img/top.ovl': image });
  await using disk = await disks.open(source);
  expect(disk.diskType).toBe('OVERLAY');
  expect(await disk.read(0, 9999)).toEqual(guest);
});

test('opens a disk that is open already', async () => {
  const { disks } = world({});
  const below = new MemoryDisk(image);
  await below.init();
  await using disk = await disks.open(below);
  expect(await disk.read(0, 9999)).toEqual(guest);
});

test('the first driver takes plain paths, and a scheme chooses another', async () => {
  const { disks, driver } = world({ '/a': filled(1) });
  const other = world({ '/a': filled(2) }, { scheme: 'other' });
  const both = world({}, { drivers: [driver, other.driver] });
  await using first = await both.disks.open('/a');
  await using second = await both.disks.open('other:/a');
  expect([...(await first.read(0, 1)), ...(await second.read(0, 1))]).toEqual([1, 2]);
  expect(disks.registry.formats).toHaveLength(2);
});

test('a path without any driver is an error that quotes it', async () => {
  const { disks } = world({}, { drivers: [] });
  expect(await diskErrorOf(() => disks.open('/a\nb'))).toMatchObject({
    code: 'ERR_ARGUMENT',
    reason: 'no storage driver is registered that could open "/a\\u000ab"',
  });
});

test('a path without a file is ERR_NOT_FOUND', async () => {
  const { disks, driver } = world({ '/img/top.ovl': image });
  expect((await diskErrorOf(() => disks.open('/img/no'))).code).toBe('ERR_NOT_FOUND');
  expect(driver.openDisks).toBe(0);
});

test('a format gets the bytes that its probe has seen, and none when it is declared', async () => {
  const { driver } = world({ '/img/top.ovl': image });
  const heads: (Uint8Array | undefined)[] = [];
  const spying: DiskFormat = {
    ...overlay,
    open: (below, context) => {
      heads.push(context.head);
      return overlay.open(below, context);
    },
  };
  const { disks } = world({}, { drivers: [driver], formats: [plain, spying] });
  await using _probed = await disks.open('/img/top.ovl');
  await using _declared = await disks.open('/img/top.ovl', { format: 'overlay' });
  expect(heads).toEqual([image.subarray(0, 4096), undefined]);
});

test('the places of an image are looked up when it names another disk, and not before', async () => {
  const { disks, driver } = world({
    '/img/top.ovl': image,
    '/img/over.ovl': overlayImage({ fill: 0x22, owned: 1, base: 'top.ovl' }),
  });
  await using _alone = await disks.open('/img/top.ovl');
  expect(driver.calls.map(({ call }) => call)).toEqual(['open']);
  await using _chain = await disks.open('/img/over.ovl');
  expect(driver.calls.filter(({ call }) => call === 'identity')).toHaveLength(2);
});

test('a declared format wins over the probe', async () => {
  const { disks } = world({ '/img/top.ovl': image });
  await using disk = await disks.open('/img/top.ovl', { format: 'plain' });
  expect(disk.diskType).toBe('PLAIN');
  expect(await disk.read(0, 9999)).toEqual(image);
});

test('a declared format that the bytes do not have is ERR_NOT_THIS_FORMAT', async () => {
  const { disks } = world({ '/img/a': filled(7) });
  expect(await diskErrorOf(() => disks.open('/img/a', { format: 'overlay' }))).toMatchObject({
    code: 'ERR_NOT_THIS_FORMAT',
    format: 'overlay',
    layer: '/img/a',
  });
});

test('a declared format that is not registered is ERR_UNKNOWN_FORMAT', async () => {
  const { disks, driver } = world({ '/img/a': filled(7) });
  const error = await diskErrorOf(() => disks.open('/img/a', { format: 'vmdk' }));
  expect(error.code).toBe('ERR_UNKNOWN_FORMAT');
  expect(error.reason).toContain('known: overlay, plain');
  expect(driver.openDisks).toBe(0);
});

test('a disk that no format claims is ERR_UNKNOWN_FORMAT, with its path', async () => {
  const { disks } = world({ '/img/a': filled(7) }, { formats: [overlay] });
  expect(await diskErrorOf(() => disks.open('/img/a'))).toMatchObject({
    code: 'ERR_UNKNOWN_FORMAT',
    layer: '/img/a',
  });
});

test('two formats that are equally sure are ERR_AMBIGUOUS_FORMAT, until one is declared', async () => {
  const twin: DiskFormat = { ...overlay, name: 'twin' };
  const { disks, driver } = world({ '/img/top.ovl': image }, { formats: [twin, plain, overlay] });
  const error = await diskErrorOf(() => disks.open('/img/top.ovl'));
  expect(error).toMatchObject({ code: 'ERR_AMBIGUOUS_FORMAT', layer: '/img/top.ovl' });
  expect(error.reason).toContain('overlay and twin');
  expect(driver.openDisks).toBe(0);
  await using disk = await disks.open('/img/top.ovl', { format: 'twin' });
  expect(disk.size()).toBe(GUEST_BYTES);
});

test('an offset shifts the start of the image', async () => {
  const shifted = new Uint8Array(1000 + image.length);
  shifted.set(image, 1000);
  const { disks } = world({ '/img/a': shifted });
  await using disk = await disks.open('/img/a', { offset: 1000 });
  expect(disk.diskType).toBe('OVERLAY');
  expect(await disk.read(0, 9999)).toEqual(guest);
});

test.for([-1, 0.5, NaN, 2 ** 53] as const)('an offset of %d is ERR_ARGUMENT', async (offset) => {
  const { disks, driver } = world({ '/img/a': image });
  expect((await diskErrorOf(() => disks.open('/img/a', { offset }))).code).toBe('ERR_ARGUMENT');
  expect(driver.openDisks).toBe(0);
});

test('an offset past the end is ERR_ARGUMENT', async () => {
  const { disks, driver } = world({ '/img/a': image });
  const offset = image.length + 1;
  expect((await diskErrorOf(() => disks.open('/img/a', { offset }))).code).toBe('ERR_ARGUMENT');
  expect(driver.openDisks).toBe(0);
});

test('baseOnly returns getBase() of the disk', async () => {
  const base = new MemoryDisk(pattern(64));
  const describing: DiskFormat = {
    ...plain,
    open(downstream, context) {
      const disk = plain.open(downstream, context);
      disk.getBase = () => base;
      return disk;
    },
  };
  const { disks } = world({ '/img/a': filled(7) }, { formats: [describing] });
  await using disk = await disks.open('/img/a');
  expect(disk).not.toBe(base);
  expect(await disks.open('/img/a', { baseOnly: true })).toBe(base);
});

test('baseOnly returns the disk itself if it is its own base', async () => {
  const { disks } = world({ '/img/top.ovl': image });
  await using disk = await disks.open('/img/top.ovl', { baseOnly: true });
  expect(await disk.read(0, 9999)).toEqual(guest);
});

test('without a mountMode the disk and its storage are read-only', async () => {
  const { disks, driver } = world({ '/img/a': filled(7) });
  await using disk = await disks.open('/img/a');
  expect(disk.writable).toBe(false);
  expect(driver.calls).toContainEqual({ call: 'open', path: '/img/a', writable: false });
  expect((await diskErrorOf(() => disk.write(0, filled(1, 1)))).code).toBe('ERR_READ_ONLY');
});

test("mountMode 'rw' writes through to the storage", async () => {
  const bytes = filled(7);
  const { disks, driver } = world({ '/img/a': bytes });
  await using disk = await disks.open('/img/a', { mountMode: 'rw' });
  expect(disk.writable).toBe(true);
  expect(driver.calls).toContainEqual({ call: 'open', path: '/img/a', writable: true });
  await disk.write(10, Uint8Array.of(1, 2));
  expect([...bytes.subarray(9, 13)]).toEqual([7, 1, 2, 7]);
});

test("mountMode 'rw' of a format that cannot be written is ERR_UNSUPPORTED", async () => {
  const entries = { '/img/top.ovl': overlayImage({ base: 'base' }), '/img/base': filled(7) };
  const { disks, driver } = world(entries);
  const error = await diskErrorOf(() => disks.open('/img/top.ovl', { mountMode: 'rw' }));
  expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', format: 'overlay' });
  expect(driver.openDisks).toBe(0);
});

test.for(['x', '', 'R', 'w', 'wr'] as const)('the mountMode %j is not recognised', async (text) => {
  const mountMode = text as string as MountMode;
  const { disks, driver } = world({ '/img/a': filled(7) });
  const refused = { code: 'ERR_ARGUMENT', reason: `Unrecognized mountMode: ${text}` };
  expect(await diskErrorOf(() => disks.open('/img/a', { mountMode }))).toMatchObject(refused);
  const below = new MemoryDisk(filled(7));
  await below.init();
  expect(await diskErrorOf(() => disks.push(below, { mountMode }))).toMatchObject(refused);
  expect(driver.openDisks).toBe(0);
});

test('probe returns every format that claims the source, the surest first', async () => {
  const { disks, driver } = world({ '/img/top.ovl': image });
  const matches = await disks.probe('/img/top.ovl');
  expect(matches.map(({ format, rank }) => [format.name, rank])).toEqual([
    ['overlay', 'magic'],
    ['plain', 'fallback'],
  ]);
  expect(driver.calls.map(({ call, path }) => [call, path])).toEqual([['open', '/img/top.ovl']]);
  expect(driver.openDisks).toBe(0);
});

test('probe at an offset looks at the bytes there', async () => {
  const shifted = new Uint8Array(BLOCK + image.length);
  shifted.set(image, BLOCK);
  const { disks } = world({ '/img/a': shifted });
  expect((await disks.probe('/img/a')).map(({ format }) => format.name)).toEqual(['plain']);
  expect((await disks.probe('/img/a', { offset: BLOCK })).map(({ format }) => format.name)).toEqual([
    'overlay',
    'plain',
  ]);
});

test('a format pushed on a disk takes its place in the column of layers', async () => {
  const { disks } = world({});
  const below = new MemoryDisk(image);
  await below.init();
  const first = await disks.push(below, { format: 'plain' });
  await using second = await disks.push(first);
  expect(second.diskType).toBe('OVERLAY-PLAIN');
  expect(await second.read(0, 9999)).toEqual(guest);
});
