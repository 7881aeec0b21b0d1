import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';
import { diskErrorOf } from '../../src/testing/index.ts';
import type { Entry } from '../support/memory-driver.ts';
import { BLOCK, overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

const itself = overlayImage({ base: 'other-name' });

test.for<[string, Readonly<Record<string, Entry>>]>([
  ['of one', { '/img/top': overlayImage({ base: 'top' }) }],
  ['of one, by another spelling', { '/img/top': overlayImage({ base: '../img/./top' }) }],
  ['of two', { '/img/top': overlayImage({ base: 'b' }), '/img/b': overlayImage({ base: 'top' }) }],
  [
    'of three, below the top',
    {
      '/img/top': overlayImage({ base: 'b' }),
      '/img/b': overlayImage({ base: 'c' }),
      '/img/c': overlayImage({ base: 'b' }),
    },
  ],
  ['by a symbolic link', { '/img/top': overlayImage({ base: 'link' }), '/img/link': { symlink: 'top' } }],
  ['by a hard link', { '/img/top': itself, '/img/other-name': itself }],
])('a loop %s is ERR_BACKING_LOOP', async ([, entries]) => {
  const { disks, driver } = world(entries);
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_BACKING_LOOP');
  expect(driver.openPaths).toEqual([]);
});

test('one base of two overlays in one chain is no loop, as long as it does not come back', async () => {
  const { disks } = world({
    '/img/top': overlayImage({ base: 'same-bytes' }),
    '/img/same-bytes': overlayImage({ base: 'base', owned: 2 }),
    '/img/base': filled(7),
  });
  await using top = await disks.open('/img/top');
  expect((await top.read(2 * BLOCK, 1))[0]).toBe(7);
});

/** The base of `/img/0` is `/img/1` …; the last of `count` images has no base. */
function chainOf(count: number): Readonly<Record<string, Entry>> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `/img/${index}`,
      overlayImage({ fill: index, ...(index < count - 1 && { base: String(index + 1) }) }),
    ]),
  );
}

test('maxChainDepth disks are opened, the top included', async () => {
  const { disks, driver } = world(chainOf(5), { limits: { maxChainDepth: 5 } });
  await using _top = await disks.open('/img/0');
  expect(driver.openDisks).toBe(5);
});

test('more disks than maxChainDepth are ERR_LIMIT, with nothing left open', async () => {
  const { disks, driver } = world(chainOf(5), { limits: { maxChainDepth: 4 } });
  const error = await diskErrorOf(() => disks.open('/img/0'));
  expect(error.code).toBe('ERR_LIMIT');
  expect(error.reason).toContain('maxChainDepth allows 4');
  expect(error).toMatchObject({ hint: { option: 'limits', name: 'maxChainDepth' } });
  expect([driver.opened, driver.openDisks]).toEqual([4, 0]);
});

test('a disk without a path counts in maxChainDepth too', async () => {
  const { disks, driver } = world(chainOf(3), { limits: { maxChainDepth: 3 } });
  const error = await diskErrorOf(() =>
    disks.open(overlayImage({ base: '/img/0' }), { allowBacking: ['/img'] }),
  );
  expect(error.code).toBe('ERR_LIMIT');
  expect(driver.openDisks).toBe(0);
});

test('a chain of as many disks as the default allows is opened and read', async () => {
  const { disks } = world(chainOf(DEFAULT_LIMITS.maxChainDepth));
  await using top = await disks.open('/img/0');
  expect(await top.read(0, 9999)).toEqual(new Uint8Array(4096)); // each owns the first block, and the last one ends in zeroes
  const longer = world(chainOf(DEFAULT_LIMITS.maxChainDepth + 1));
  expect((await diskErrorOf(() => longer.disks.open('/img/0'))).code).toBe('ERR_LIMIT');
});
