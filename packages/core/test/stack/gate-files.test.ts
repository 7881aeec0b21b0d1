import { expect, test } from 'vitest';
import type { OpenOptions } from '../../src/stack/open-options.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import type { Entry } from '../support/memory-driver.ts';
import { BLOCK, overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

type Entries = Readonly<Record<string, Entry>>;

/** `/img/top` names `base`, among other files. */
function naming(base: string | Uint8Array, entries: Entries = {}) {
  return world({ '/img/top': overlayImage({ base }), ...entries });
}

/** The value of a byte that comes from the base. */
async function baseByte(
  base: string,
  entries: Entries,
  options: OpenOptions = {},
): Promise<number | undefined> {
  const { disks } = naming(base, entries);
  await using top = await disks.open('/img/top', options);
  return (await top.read(BLOCK, 1))[0];
}

const OUTSIDE = { '/etc/secret': filled(66) };

test.for([
  ['a bare name', 'base', '/img/base'],
  ['a name below', 'sub/base', '/img/sub/base'],
  ['a name with dots', './sub/.././base', '/img/base'],
  ['a name with double slashes', 'sub//base', '/img/sub/base'],
  ['a name of spaces', '  ', '/img/  '],
  ['a name in another script', 'образ-圖像', '/img/образ-圖像'],
  ['an absolute name', '/img/base', '/img/base'],
  ['a way out and back in', '../img/base', '/img/base'],
] as const)('opens %s in the folder of the image', async ([, base, path]) => {
  expect(await baseByte(base, { [path]: filled(7), '/img/sub/other': filled(8) })).toBe(7);
});

test.for([
  ['an absolute name', '/etc/secret'],
  ['a way up', '../etc/secret'],
  ['more ways up than there are folders', '../../../../../etc/secret'],
  ['a way up behind a folder', 'sub/../../etc/secret'],
  ['a folder whose name starts as the root does', '/img-other/base'],
  ['a device', '/dev/sda'],
  ['the folder above', '..'],
] as const)('denies %s outside of the folder of the image', async ([, base]) => {
  const { disks, driver } = naming(base, {
    ...OUTSIDE,
    '/img/sub/x': filled(1),
    '/img-other/base': filled(2),
    '/dev/sda': { device: filled(3) },
  });
  const error = await diskErrorOf(() => disks.open('/img/top'));
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', layer: '/img/top', offset: 16 });
  expect(error.reason).toContain('allowBacking');
  expect(error).toMatchObject({ hint: { option: 'allowBacking' } });
  expect(driver.calls.filter(({ call }) => call === 'open')).toHaveLength(1);
});

test.for([
  ['a file', '/img/link', { '/img/link': { symlink: '/etc/secret' } }],
  ['a file, by a relative link', 'link', { '/img/link': { symlink: '../etc/secret' } }],
  [
    'a file, by a link to a link',
    'link',
    { '/img/link': { symlink: 'two' }, '/img/two': { symlink: '/etc/secret' } },
  ],
  ['a folder', 'link/secret', { '/img/link': { symlink: '/etc' } }],
  ['a device', 'link', { '/img/link': { symlink: '/dev/sda' } }],
] as const)('denies a symbolic link out of the folder to %s', async ([, base, entries]) => {
  const { disks, driver } = naming(base, { ...OUTSIDE, ...entries, '/dev/sda': { device: filled(3) } });
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_BACKING_DENIED');
  expect(driver.calls.filter(({ call }) => call === 'open')).toHaveLength(1);
});

test('follows a symbolic link that stays inside', async () => {
  expect(await baseByte('link', { '/img/link': { symlink: 'sub/base' }, '/img/sub/base': filled(7) })).toBe(
    7,
  );
});

test('opens the path that was judged, not the one that was named', async () => {
  const { disks, driver } = naming('link', {
    '/img/link': { symlink: 'sub/base' },
    '/img/sub/base': filled(7),
  });
  await using _top = await disks.open('/img/top');
  expect(driver.openPaths).toEqual(['/img/top', '/img/sub/base']);
});

test('judges `..` after a symbolic link to a folder by its real target', async () => {
  const entries = { ...OUTSIDE, '/img/link': { symlink: '/etc/deep' }, '/etc/deep/x': filled(1) };
  const { disks } = naming('link/../secret', { ...entries, '/img/secret': filled(7) });
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_BACKING_DENIED');
  const inside = { '/img/link': { symlink: 'a/b' }, '/img/a/b/x': filled(1), '/img/a/base': filled(7) };
  expect(await baseByte('link/../base', { ...inside, '/img/base': filled(8) })).toBe(7);
});

test('the folder of an image that is opened through a symbolic link is the folder of the link', async () => {
  const { disks } = world({
    '/links/top': { symlink: '/img/top' },
    '/img/top': overlayImage({ base: 'base' }),
    '/img/base': filled(7),
    '/links/base': filled(8),
  });
  await using top = await disks.open('/links/top');
  expect((await top.read(BLOCK, 1))[0]).toBe(8);
});

test('a folder that is a symbolic link is a root by where it leads', async () => {
  const { disks } = world({
    '/current': { symlink: '/img' },
    '/img/top': overlayImage({ base: 'base' }),
    '/img/base': filled(7),
  });
  await using top = await disks.open('/current/top');
  expect((await top.read(BLOCK, 1))[0]).toBe(7);
});

test('a base in a folder below gets no roots of its own', async () => {
  const { disks, driver } = world({
    '/img/top': overlayImage({ base: 'sub/middle' }),
    '/img/sub/middle': overlayImage({ base: '../base', owned: 2 }),
    '/img/base': filled(7),
  });
  await using top = await disks.open('/img/top');
  expect((await top.read(2 * BLOCK, 1))[0]).toBe(7);
  const direct = world({ '/img/sub/middle': overlayImage({ base: '../base' }), '/img/base': filled(7) });
  expect((await diskErrorOf(() => direct.disks.open('/img/sub/middle'))).code).toBe('ERR_BACKING_DENIED');
  expect(driver.openDisks).toBe(3);
});

test('a base in an allowed folder gets no roots of its own', async () => {
  const { disks } = world({
    '/img/top': overlayImage({ base: '/golden/images/middle' }),
    '/golden/images/middle': overlayImage({ base: '/golden/base', owned: 2 }),
    '/golden/base': filled(7),
  });
  const error = await diskErrorOf(() => disks.open('/img/top', { allowBacking: ['/golden/images'] }));
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', layer: '/golden/images/middle' });
  await using top = await disks.open('/img/top', { allowBacking: ['/golden'] });
  expect((await top.read(2 * BLOCK, 1))[0]).toBe(7);
});

test('allowBacking adds folders, and the folder of the image stays allowed', async () => {
  const entries = { ...OUTSIDE, '/img/base': filled(7) };
  expect(await baseByte('/etc/secret', entries, { allowBacking: ['/var', '/etc'] })).toBe(66);
  expect(await baseByte('base', entries, { allowBacking: ['/etc'] })).toBe(7);
});

test.for([['/'], ['/etc/'], ['/img/../etc'], ['/link']] as const)(
  'allowBacking takes the folder as %j',
  async ([folder]) => {
    const entries = { ...OUTSIDE, '/link': { symlink: '/etc' } };
    expect(await baseByte('../etc/secret', entries, { allowBacking: [folder] })).toBe(66);
  },
);

test('allowBacking with a file allows this one file', async () => {
  const entries = { ...OUTSIDE, '/etc/secret2': filled(67) };
  expect(await baseByte('/etc/secret', entries, { allowBacking: ['/etc/secret'] })).toBe(66);
  const { disks } = naming('/etc/secret2', entries);
  const error = await diskErrorOf(() => disks.open('/img/top', { allowBacking: ['/etc/secret'] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
});

test('allowBacking with a folder that does not exist allows nothing more', async () => {
  const { disks } = naming('/etc/secret', OUTSIDE);
  const error = await diskErrorOf(() => disks.open('/img/top', { allowBacking: ['/no/such'] }));
  expect(error.code).toBe('ERR_BACKING_DENIED');
});

test.for([['base'], ['sub/base'], ['/img/no/such/base'], ['a/b/c']] as const)(
  'a missing file %j inside is ERR_NOT_FOUND',
  async ([base]) => {
    const { disks } = naming(base);
    expect(await diskErrorOf(() => disks.open('/img/top'))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      layer: '/img/top',
      offset: 16,
    });
  },
);

test.for([
  ['/etc/secret', '/etc/nothing'],
  ['../etc/secret', '../etc/nothing'],
  ['sub/../../etc/secret', 'sub/../../etc/nothing'],
  ['link/secret', 'link/nothing'],
  ['/etc/secret', '/nowhere/at/all'],
] as const)('what is outside is denied alike, whether %j is there or %j is not', async ([there, missing]) => {
  const entries = { ...OUTSIDE, '/img/sub/x': filled(1), '/img/link': { symlink: '/etc' } };
  const tell = async (base: string) => {
    const { code, reason } = await diskErrorOf(() => naming(base, entries).disks.open('/img/top'));
    return [code, reason.replace(JSON.stringify(base), 'NAME')];
  };
  const answer = await tell(there);
  expect(answer[0]).toBe('ERR_BACKING_DENIED');
  expect(await tell(missing)).toEqual(answer);
});

test('an image without a path has no folder for a relative name', async () => {
  const { disks } = world({ '/img/base': filled(7) });
  const image = overlayImage({ base: 'base' });
  const error = await diskErrorOf(() => disks.open(image));
  expect(error).toMatchObject({ code: 'ERR_BACKING_DENIED', layer: undefined, offset: 16 });
  expect(error.reason).toContain('no folder of its own');
  await using disk = await disks.open(image, { location: '/img/top' });
  expect((await disk.read(BLOCK, 1))[0]).toBe(7);
});

test('an image without a path can name files that allowBacking allows', async () => {
  const { disks } = world({ '/img/base': filled(7) });
  const image = overlayImage({ base: '/img/base' });
  expect((await diskErrorOf(() => disks.open(image))).code).toBe('ERR_BACKING_DENIED');
  await using disk = await disks.open(image, { allowBacking: ['/img'] });
  expect((await disk.read(BLOCK, 1))[0]).toBe(7);
});

test('without a driver every name is denied', async () => {
  const { disks } = world({}, { drivers: [] });
  const error = await diskErrorOf(() => disks.open(overlayImage({ base: '/img/base' })));
  expect(error.code).toBe('ERR_BACKING_DENIED');
  expect(error.reason).toContain('nothing is registered to open it');
});

test("gate 'deny' opens nothing that an image names", async () => {
  const { disks, driver } = naming('base', { '/img/base': filled(7) });
  expect((await diskErrorOf(() => disks.open('/img/top', { gate: 'deny' }))).code).toBe('ERR_BACKING_DENIED');
  expect(driver.opened).toBe(1);
});
