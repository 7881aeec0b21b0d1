import { type DiskModule, MemoryDisk } from '@diskstack/core';
import { describeDiskModule, diskErrorOf, pattern } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { type VolumeMap, volumeMap } from '../src/index.ts';

const SIZE = 200_003;
const memory = (): MemoryDisk => new MemoryDisk(pattern(SIZE));

async function volume(volumes: VolumeMap, path: string): Promise<DiskModule> {
  const found = await volumes.find(path);
  if (found === undefined) throw new Error(`no volume ${path}`);
  return found.disk;
}

describeDiskModule('a declared volume', {
  open: () => volume(volumeMap({ '/dev/vg/lv': memory }), '/dev/vg/lv'),
  expected: pattern(SIZE),
  writable: true,
});
describeDiskModule('a declared volume, open already, under its other name', {
  open: () => volume(volumeMap({ '/dev/mapper/vg-lv': memory() }), '/dev/vg/lv'),
  expected: pattern(SIZE),
  writable: true,
});

test.for([
  ['/dev/vg0/root', '/dev/mapper/vg0-root'],
  ['/dev/mapper/vg0-root', '/dev/vg0/root'],
  ['/dev/my-vg/my-lv', '/dev/mapper/my--vg-my--lv'],
  ['/dev/vg0/root', '/dev/vg0/../vg0/./root'],
] as const)('what is declared as %s is found as %s', async ([declared, asked]) => {
  await using volumes = volumeMap({ [declared]: memory });
  const found = await volumes.find(asked);
  expect(found?.path).toBe((await volumes.list())[0]);
  await found?.disk.init();
  expect(found?.disk.size()).toBe(SIZE);
});

test('a path that was not declared is not found', async () => {
  await using volumes = volumeMap({ '/dev/vg/lv': memory });
  expect(await volumes.find('/dev/vg/lv2')).toBeUndefined();
  expect(await volumes.find('/dev/vg')).toBeUndefined();
});

test('a volume declared under both spellings is declared twice', async () => {
  const declare = (): VolumeMap => volumeMap({ '/dev/vg/lv': memory, '/dev/mapper/vg-lv': memory });
  const error = await diskErrorOf(declare);
  expect(error.code).toBe('ERR_ARGUMENT');
  expect(error.message).toContain('/dev/vg/lv');
});

test('list names every volume once, in its plain spelling', async () => {
  await using volumes = volumeMap({ '/dev/mapper/vg-b': memory, '/dev/vg/a': memory });
  expect(await volumes.list()).toEqual(['/dev/vg/b', '/dev/vg/a']);
});

test('a volume is named in diskType, with the name that the map was given', async () => {
  await using volumes = volumeMap({ '/dev/vg/lv': memory });
  expect((await volume(volumes, '/dev/vg/lv')).diskType).toBe('LVM2');
  await using other = volumeMap({ '/dev/vg/lv': memory }, { diskType: 'THIN' });
  expect((await volume(other, '/dev/vg/lv')).diskType).toBe('THIN');
});

test('a disk is made when it is first asked for, and once', async () => {
  let made = 0;
  await using volumes = volumeMap({
    '/dev/vg/lv': async () => {
      made++;
      return memory();
    },
  });
  expect(made).toBe(0);
  await volumes.list();
  expect(made).toBe(0);
  await Promise.all([
    volumes.find('/dev/vg/lv'),
    volumes.find('/dev/mapper/vg-lv'),
    volumes.find('/dev/vg/lv'),
  ]);
  expect(made).toBe(1);
});

test('a disk that could not be made is tried again', async () => {
  let tries = 0;
  await using volumes = volumeMap({
    '/dev/vg/lv': () => {
      tries++;
      if (tries === 1) throw new Error('not yet');
      return memory();
    },
  });
  await expect(volumes.find('/dev/vg/lv')).rejects.toThrow('not yet');
  expect((await volumes.find('/dev/vg/lv'))?.path).toBe('/dev/vg/lv');
});

test('a disk that could not be made later is tried again', async () => {
  let tries = 0;
  await using volumes = volumeMap({
    '/dev/vg/lv': async () => {
      tries++;
      if (tries === 1) throw new Error('not yet');
      return memory();
    },
  });
  await expect(volumes.find('/dev/vg/lv')).rejects.toThrow('not yet');
  expect((await volumes.find('/dev/vg/lv'))?.path).toBe('/dev/vg/lv');
});

test('closing what was found leaves the volume open for others', async () => {
  await using volumes = volumeMap({ '/dev/vg/lv': memory });
  const [first, second] = [await volume(volumes, '/dev/vg/lv'), await volume(volumes, '/dev/vg/lv')];
  await Promise.all([first.init(), second.init()]);
  await first.close();
  expect(await second.read(0, 8)).toEqual(pattern(8));
});

test('closing the map closes the disks that it made, and leaves those that it was given', async () => {
  const made = memory();
  const given = memory();
  await given.init();
  const volumes = volumeMap({ '/dev/vg/made': () => made, '/dev/vg/given': given });
  await (await volume(volumes, '/dev/vg/made')).init();
  await (await volume(volumes, '/dev/vg/given')).init();
  await volumes.close();
  expect((await diskErrorOf(() => made.read(0, 1))).code).toBe('ERR_STATE');
  expect(await given.read(0, 8)).toEqual(pattern(8));
});
