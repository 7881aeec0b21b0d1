import { expect, test } from 'vitest';
import { diskErrorOf } from '../../src/testing/index.ts';
import { BLOCK, overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

test('with metadataOnly nothing else is opened, or even asked about', async () => {
  const { disks, driver } = world({ '/img/top': overlayImage({ base: 'base' }), '/img/base': filled(3) });
  await using top = await disks.open('/img/top', { metadataOnly: true });
  expect(driver.openPaths).toEqual(['/img/top']);
  expect(driver.calls.filter(({ path }) => path.includes('base'))).toEqual([]);
  expect(top.size()).toBe(4096);
});

test('with metadataOnly own bytes are read, and bytes of the base are ERR_BACKING_NOT_OPEN', async () => {
  const { disks } = world({ '/img/top': overlayImage({ base: 'ba\nse', fill: 5 }) });
  await using top = await disks.open('/img/top', { metadataOnly: true });
  expect(await top.read(0, BLOCK)).toEqual(filled(5, BLOCK));
  for (const [offset, length] of [
    [BLOCK, 1],
    [0, BLOCK + 1],
    [4000, 96],
  ] as const) {
    const error = await diskErrorOf(() => top.read(offset, length));
    expect(error.code).toBe('ERR_BACKING_NOT_OPEN');
    expect(error.reason).toContain('"ba\\u000ase"');
  }
});

test('with metadataOnly a name that could never be opened does no harm', async () => {
  const { disks } = world({ '/img/top': overlayImage({ base: Uint8Array.of(0xff, 0, 0x2f) }) });
  await using top = await disks.open('/img/top', { metadataOnly: true });
  expect((await diskErrorOf(() => top.read(BLOCK, 1))).code).toBe('ERR_BACKING_NOT_OPEN');
});

test('a base is opened read-only, also below a disk that is opened for writing', async () => {
  const { disks, driver } = world({ '/img/top': overlayImage({ base: 'base' }), '/img/base': filled(3) });
  await diskErrorOf(() => disks.open('/img/top', { mountMode: 'rw' }));
  expect(driver.calls.filter(({ call }) => call === 'open')).toEqual([
    { call: 'open', path: '/img/top', writable: true },
    { call: 'open', path: '/img/base', writable: false },
  ]);
});

test('a recorded backing format is obeyed', async () => {
  const base = overlayImage({ fill: 9, owned: 8 });
  const { disks } = world({ '/img/top': overlayImage({ base: 'base', format: 'plain' }), '/img/base': base });
  await using top = await disks.open('/img/top');
  expect(await top.read(BLOCK, BLOCK)).toEqual(base.subarray(BLOCK, 2 * BLOCK)); // not what the overlay presents there
  expect(await top.read(2 * BLOCK, 1)).toEqual(Uint8Array.of(9));
});

test('without a recorded backing format the base is probed', async () => {
  const base = overlayImage({ fill: 9, owned: 8 });
  const { disks } = world({ '/img/top': overlayImage({ base: 'base' }), '/img/base': base });
  await using top = await disks.open('/img/top');
  expect(await top.read(BLOCK, 4096)).toEqual(filled(9, 4096 - BLOCK));
});

test('a base that is shorter than its overlay is followed by zeroes', async () => {
  const { disks } = world({ '/img/top': overlayImage({ base: 'base' }), '/img/base': filled(3, 1000) });
  await using top = await disks.open('/img/top');
  const bytes = await top.read(0, 9999);
  expect([512, 999, 1000, 4095].map((at) => bytes[at])).toEqual([3, 3, 0, 0]);
});
