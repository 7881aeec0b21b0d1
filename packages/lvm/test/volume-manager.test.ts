import type { DiskModule } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { volumeManager } from '../src/index.ts';
import { findSets, fixtureNames, openFixture } from './support/fixtures.ts';
import { groupText, linearText, pvWith } from './support/pv-builder.ts';

const FOLDER = 'lvm-alltypes';
const pvs: DiskModule[] = [];
beforeAll(async () => {
  for (const name of fixtureNames(FOLDER)) pvs.push(await openFixture(FOLDER, name));
});
afterAll(async () => {
  for (const disk of pvs) await disk.close();
});

test.for(['/dev/vgall/with-hyphen', '/dev/mapper/vgall-with--hyphen', '/dev/x/../vgall/./with-hyphen'])(
  '%s is the volume',
  async (path) => {
    const found = await volumeManager(await findSets(pvs)).find(path);
    expect(found?.path).toBe('/dev/vgall/with-hyphen');
    expect(found?.disk.size()).toBe(1024 * 1024);
    await found?.disk.close();
    expect(await pvs[0]?.read(0, 1)).toHaveLength(1); // closing it leaves the physical volumes open
  },
);

test('visible volumes have a path, hidden ones do not', async () => {
  const manager = volumeManager(await findSets(pvs));
  const paths = await manager.list();
  expect(paths).toHaveLength(34);
  expect(paths).toContain('/dev/vgall/cowsnap');
  for (const hidden of ['pool', 'snapshot0', 'raid1_rimage_0', 'nothing'])
    expect(await manager.find(`/dev/vgall/${hidden}`)).toBeUndefined();
});

test('finding a volume that cannot be read throws the reason', async () => {
  const manager = volumeManager(await findSets(pvs.slice(1)));
  const error = await diskErrorOf(() => manager.find('/dev/vgall/linear'));
  expect(error.code).toBe('ERR_NOT_FOUND');
  expect(error.message).toContain('[lvm2 vgall/linear] the physical volume "pv0"');
});

test('handles are their own: one closed leaves the other open', async () => {
  const [set] = await findSets([await pvWith(groupText(linearText('lv', 'pv0', 0)))]);
  const [volume] = set?.volumes ?? [];
  const one = await volume?.open();
  const two = await volume?.open();
  await one?.close();
  expect(await two?.read(0, 1)).toEqual(new Uint8Array(1));
  expect((await diskErrorOf(() => one?.read(0, 1))).code).toBe('ERR_STATE');
  await two?.close();
});
