import { expect, test } from 'vitest';
import type { DiskFormat, OpenContext } from '../../src/contracts/disk-format.ts';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import type { NamedDisk } from '../../src/contracts/named-disk.ts';
import type { DiskError } from '../../src/errors/disk-error.ts';
import { type BackingGate, filesBelowRoots, firstOf } from '../../src/stack/backing-gate.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import { type Entry, memoryDriver } from '../support/memory-driver.ts';
import { plain } from '../support/overlay-format.ts';
import { EXTENT, type SplitHeader, split, splitImage } from '../support/split-format.ts';
import { filled, world } from '../support/stack-world.ts';

type Entries = Readonly<Record<string, Entry>>;

function splitWorld(header: SplitHeader, entries: Entries = {}, options: Parameters<typeof world>[1] = {}) {
  return world({ '/vm/disk': splitImage(header), ...entries }, { formats: [split, plain], ...options });
}

/** A parent with one extent that holds `value`. */
function parent(uuid: string, extent: string): Uint8Array {
  return splitImage({ uuid, extents: [[extent]] });
}

const UUID = '12345678-9abc-def0-1234-56789abcdef0';

test('three extents and a parent that a gate finds by its UUID', async () => {
  const byUuid: BackingGate = async ({ name, uuid, driver, use }) => {
    if (name !== undefined || use !== 'base' || uuid !== UUID || driver === undefined) return undefined;
    const location = '/pool/golden';
    const disk = driver.open(location, { writable: false });
    return { disk, location, home: location, identity: await driver.identity(location) };
  };
  const { disks, driver } = splitWorld(
    { extents: [['a'], ['b'], ['sub/c']], parent: { uuid: UUID, names: [] } },
    {
      '/vm/a': filled(1, EXTENT),
      '/vm/b': filled(2, EXTENT),
      '/vm/sub/c': filled(3, EXTENT),
      '/pool/golden': splitImage({ uuid: UUID }),
    },
    { gate: firstOf(byUuid, filesBelowRoots) },
  );
  const disk = await disks.open('/vm/disk');
  expect([...(await disk.read(0, 4 * EXTENT))].filter((_, at) => at % EXTENT === 0)).toEqual([1, 2, 3, 0]);
  expect(driver.openPaths).toEqual(['/vm/disk', '/vm/a', '/vm/b', '/vm/sub/c', '/pool/golden']);
  await disk.close();
  expect(driver.openDisks).toBe(0);

  const alone = splitWorld({ parent: { uuid: UUID, names: [] } });
  const error = await diskErrorOf(() => alone.disks.open('/vm/disk'));
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', offset: 4 });
  expect(error.reason).toContain(UUID);
});

test.for<[string, Entries]>([
  ['is missing', {}],
  ['is a link out of the folder', { '/vm/first': { symlink: '/etc/secret' }, '/etc/secret': filled(9) }],
  ['is a link to nothing', { '/vm/first': { symlink: 'nothing' } }],
  ['is the image itself', { '/vm/first': { symlink: 'disk' } }],
  ['has another UUID', { '/vm/first': parent('other', 'x'), '/vm/x': filled(9) }],
])('the second candidate counts when the first one %s', async ([, entries]) => {
  const { disks, driver } = splitWorld(
    { parent: { uuid: UUID, names: [['first'], ['..\\vm\\sub\\second', 'win32']] } },
    { ...entries, '/vm/sub/second': parent(UUID, '../e'), '/vm/e': filled(5, EXTENT) },
  );
  const disk = await disks.open('/vm/disk');
  expect(await disk.read(0, EXTENT)).toEqual(filled(5, EXTENT));
  expect(driver.openPaths).toEqual(['/vm/disk', '/vm/sub/second', '/vm/e']);
  await disk.close();
  expect(driver.openDisks).toBe(0);
});

test('the first candidate that fits is taken, and no other one is looked at', async () => {
  const { disks, driver } = splitWorld(
    { parent: { uuid: UUID, names: [['first'], ['second']] } },
    { '/vm/first': splitImage({ uuid: UUID }), '/vm/second': splitImage({ uuid: UUID }) },
  );
  await using _disk = await disks.open('/vm/disk');
  expect(driver.openPaths).toEqual(['/vm/disk', '/vm/first']);
  expect(driver.calls.filter(({ path }) => path === '/vm/second')).toEqual([]);
});

test('when no candidate fits, the error has each with its reason, and nothing stays open', async () => {
  const names: SplitHeader['parent'] = {
    uuid: UUID,
    names: [['gone'], ['/etc/secret'], ['C:\\vm\\base.vhdx', 'win32'], ['other']],
  };
  const { disks, driver } = splitWorld(
    { extents: [['e']], parent: names },
    { '/vm/e': filled(1), '/etc/secret': filled(9), '/vm/other': splitImage({ uuid: 'another' }) },
  );
  const error = await diskErrorOf(() => disks.open('/vm/disk'));
  expect(error).toMatchObject({ code: 'ERR_BACKING_MISMATCH', layer: '/vm/disk', offset: 4 });
  expect(error.reason).toContain(`4 names for the disk "${UUID}"`);
  expect(error.reason).toMatch(/1\. "gone": .*no file "\/vm\/gone" is there; 2\. /);
  expect(error.reason).toMatch(/2\. "\/etc\/secret": .*outside of what may be opened/);
  expect(error.reason).toMatch(/3\. "C:\\\\vm\\\\base.vhdx": .*with a drive/);
  expect(error.reason).toMatch(/4\. "other": .*its UUID is "another", not "12345678-/);
  expect(driver.openDisks).toBe(0);
  expect(driver.openPaths).toEqual([]);
});

test('an error that says nothing about a name ends the search', async () => {
  const broken = { '/vm/first': Uint8Array.from([...splitImage({}), 0x7d]), '/vm/second': splitImage({}) };
  const { disks, driver } = splitWorld({ parent: { names: [['first'], ['second']] } }, broken);
  await expect(disks.open('/vm/disk')).rejects.toThrow(/JSON/);
  expect(driver.calls.filter(({ path }) => path === '/vm/second')).toEqual([]);
  expect(driver.openDisks).toBe(0);

  const aborted = splitWorld({ parent: { names: [['gone'], ['second']] } }, broken);
  const controller = new AbortController();
  controller.abort();
  expect((await diskErrorOf(() => aborted.disks.open('/vm/disk', { signal: controller.signal }))).code).toBe(
    'ERR_ABORTED',
  );
});

test.for([
  ['no candidate', 0, 'ERR_CORRUPT'],
  ['17 candidates', 17, 'ERR_LIMIT'],
] as const)('%s is an error', async ([, count, code]) => {
  const names = Array.from({ length: count }, () => ['gone'] as const);
  const { disks } = splitWorld({ parent: { names } });
  const error = await diskErrorOf(() => disks.open('/vm/disk'));
  expect(error).toMatchObject({ code, offset: 4 });
  expect(error.reason).toContain(`${count} names`);
});

test('a loop over two images, and a chain that is too deep', async () => {
  const up = (name: string) => splitImage({ parent: { names: [[name]] } });
  const loop = splitWorld({ parent: { names: [['b']] } }, { '/vm/b': up('disk') });
  expect((await diskErrorOf(() => loop.disks.open('/vm/disk'))).code).toBe('ERR_BACKING_LOOP');
  expect(loop.driver.openDisks).toBe(0);
  const itself = splitWorld({ extents: [['disk']] });
  expect((await diskErrorOf(() => itself.disks.open('/vm/disk'))).code).toBe('ERR_BACKING_LOOP');
  const deep = splitWorld(
    { parent: { names: [['b'], ['c']] } },
    { '/vm/b': up('c'), '/vm/c': filled(1) },
    { limits: { maxChainDepth: 2 } },
  );
  const error = await diskErrorOf(() => deep.disks.open('/vm/disk'));
  expect(error).toMatchObject({ code: 'ERR_LIMIT', layer: '/vm/b' });
  expect(deep.driver.openDisks).toBe(0);
});

test('maxFiles bounds the extents of a chain that are open at a time', async () => {
  const files = Object.fromEntries(['a', 'b', 'c'].map((name) => [`/vm/${name}`, filled(1, EXTENT)]));
  const header: SplitHeader = { extents: [['a'], ['b']], parent: { names: [['parent']] } };
  const entries = { ...files, '/vm/parent': splitImage({ extents: [['c']] }) };
  const { disks, driver } = splitWorld(header, entries, { limits: { maxFiles: 2 } });
  const error = await diskErrorOf(() => disks.open('/vm/disk'));
  expect(error).toMatchObject({ code: 'ERR_LIMIT', layer: '/vm/parent' });
  expect(error.reason).toMatch(/have 2 further files open; maxFiles allows 2/);
  expect(driver.openDisks).toBe(0);
  const enough = splitWorld(header, entries, { limits: { maxFiles: 3 } });
  await using disk = await enough.disks.open('/vm/disk');
  expect(disk.size()).toBe(3 * EXTENT);
});

/** The context of an image, for calls that a format makes while its disk is read. */
async function contextOf(
  entries: Entries,
  options: Parameters<typeof world>[1] & { at?: string | Uint8Array } = {},
) {
  const { at = '/vm/disk', ...rest } = options;
  let context: OpenContext | undefined;
  const recorder: DiskFormat = {
    ...plain,
    open(downstream, one) {
      context ??= one;
      return plain.open(downstream, one);
    },
  };
  const { disks, driver } = world(entries, { formats: [recorder], ...rest });
  await disks.open(at, { mountMode: 'rw' });
  if (context === undefined) throw new Error('no context');
  return { context, driver };
}

const named = (name: string, more: Partial<NamedDisk> = {}): NamedDisk => ({
  candidates: [{ name: new TextEncoder().encode(name), style: 'posix' }],
  offset: 7,
  ...more,
});

test('a file that is closed leaves its place to another one, once', async () => {
  const entries = { '/vm/disk': filled(0), '/vm/a': filled(1), '/vm/b': filled(2) };
  const { context } = await contextOf(entries, { limits: { maxFiles: 2 } });
  const first = await context.openStorage(named('a'));
  const [second, third] = await Promise.allSettled([
    context.openStorage(named('b')),
    context.openStorage(named('b')),
  ]);
  expect([second?.status, third?.status]).toEqual(['fulfilled', 'rejected']);
  await first.close();
  await first.close();
  await context.openStorage(named('a'));
  expect((await diskErrorOf(() => context.openStorage(named('b')))).code).toBe('ERR_LIMIT');
});

test('a disk that cannot be changed is opened all the same', async () => {
  const entries = { '/vm/disk': filled(0), '/vm/a': filled(1) };
  const wrap = (disk: DiskModule, path: string) => {
    if (path !== '/vm/a') return disk;
    const { diskType, blockSize, writable } = disk;
    return Object.freeze<DiskModule>({
      diskType,
      blockSize,
      writable,
      init: () => disk.init(),
      size: () => disk.size(),
      read: (offset, length) => disk.read(offset, length),
      write: (offset, data) => disk.write(offset, data),
      close: () => disk.close(),
      getBase: () => disk,
      [Symbol.asyncDispose]: () => disk.close(),
    });
  };
  const driver = memoryDriver(entries, { wrap });
  const { context } = await contextOf(entries, { limits: { maxFiles: 1 }, drivers: [driver] });
  const file = await context.openStorage(named('a'));
  expect(await file.read(0, 1)).toEqual(Uint8Array.of(1));
  await file.close();
  expect((await diskErrorOf(() => context.openStorage(named('a')))).code).toBe('ERR_LIMIT');
});

test('a file that fails to open takes no place', async () => {
  const { context } = await contextOf(
    { '/vm/disk': filled(0), '/vm/a': filled(1) },
    { limits: { maxFiles: 1 } },
  );
  expect((await diskErrorOf(() => context.openStorage(named('gone')))).code).toBe('ERR_NOT_FOUND');
  const refused = named('a', { verify: () => 'its size is 4096 bytes, not 512' });
  const error = await diskErrorOf(() => context.openStorage(refused));
  expect(error).toMatchObject({ code: 'ERR_BACKING_MISMATCH', offset: 7 });
  expect(error.reason).toContain('4096 bytes, not 512');
  await using file = await context.openStorage(named('a'));
  expect(file.writable).toBe(true);
});

test('an image knows its own file name, to derive further ones from', async () => {
  const entries = { '/vm/a:b.E01': filled(0), '/vm/a:b.E02': filled(2), '/E01': filled(3) };
  const { context } = await contextOf(entries, { at: '/vm/a:b.E01' });
  expect(context.fileName).toBe('a:b.E01');
  await using next = await context.openStorage(named('a:b.E02'));
  expect(await next.read(0, 1)).toEqual(Uint8Array.of(2));
  const error: DiskError = await diskErrorOf(() => context.openStorage(named('../E01')));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  const { context: homeless } = await contextOf({ '/a': filled(0) }, { at: filled(0) });
  expect(homeless.fileName).toBeUndefined();
  expect((await diskErrorOf(() => homeless.openStorage(named('a')))).code).toBe('ERR_BACKING_DENIED');
});

test('metadataOnly opens nothing, asks no gate, and verifies nothing', async () => {
  const { disks, driver } = splitWorld({
    extents: [['a'], ['../../etc/b']],
    parent: { uuid: UUID, names: [['first'], ['second']] },
  });
  await using disk = await disks.open('/vm/disk', { metadataOnly: true });
  expect(driver.opened).toBe(1);
  for (const at of [0, EXTENT, 2 * EXTENT])
    expect((await diskErrorOf(() => disk.read(at, 1))).code).toBe('ERR_BACKING_NOT_OPEN');
});
