import { expect, test, vi } from 'vitest';
import type { DiskModule } from '../../src/contracts/disk-module.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { DiskError } from '../../src/errors/disk-error.ts';
import { diskErrorOf, faultDisk } from '../../src/testing/index.ts';
import type { Entry } from '../support/memory-driver.ts';
import { overlayImage } from '../support/overlay-format.ts';
import { filled, world } from '../support/stack-world.ts';

const CHAIN = {
  '/img/top': overlayImage({ base: 'middle', fill: 1 }),
  '/img/middle': overlayImage({ base: 'bottom', fill: 2, owned: 2 }),
  '/img/bottom': filled(3),
};

/** Counts how often each disk is closed: below the driver's own bookkeeping, which forgets a second time. */
function countedCloses() {
  const closes = new Map<string, number>();
  const wrap = (disk: DiskModule, path: string): DiskModule => {
    closes.set(path, 0);
    const close = disk.close.bind(disk);
    disk.close = () => {
      closes.set(path, (closes.get(path) ?? 0) + 1);
      return close();
    };
    return disk;
  };
  return { closes, wrap };
}

test('a chain reads each block from the layer that has it', async () => {
  const { disks, driver } = world(CHAIN);
  await using top = await disks.open('/img/top');
  const bytes = await top.read(0, 9999);
  expect([0, 511, 512, 1023, 1024, 4095].map((at) => bytes[at])).toEqual([1, 1, 2, 2, 3, 3]);
  expect(driver.openDisks).toBe(3);
});

test('closing the top closes every disk of the chain, once', async () => {
  const { closes, wrap } = countedCloses();
  const { disks, driver } = world(CHAIN, { wrap });
  const top = await disks.open('/img/top');
  await top.close();
  await top.close();
  await top[Symbol.asyncDispose]();
  expect(driver.openDisks).toBe(0);
  expect(Object.fromEntries(closes)).toEqual({ '/img/top': 1, '/img/middle': 1, '/img/bottom': 1 });
});

const broken: readonly (readonly [string, Readonly<Record<string, Entry>>, string])[] = [
  ['the top is corrupt', { '/img/top': overlayImage({ base: 'middle', version: 2 }) }, 'ERR_CORRUPT'],
  ['the top is cut short', { '/img/top': overlayImage({}).subarray(0, 100) }, 'ERR_TRUNCATED'],
  ['the middle is corrupt', { '/img/middle': overlayImage({ base: 'bottom', version: 2 }) }, 'ERR_CORRUPT'],
  [
    'the middle names nothing that is there',
    { '/img/middle': overlayImage({ base: 'no' }) },
    'ERR_NOT_FOUND',
  ],
  ['the middle names a folder outside', { '/img/middle': overlayImage({ base: '/' }) }, 'ERR_BACKING_DENIED'],
  ['the middle names a folder', { '/img/middle': overlayImage({ base: '.' }) }, 'ERR_NOT_FOUND'],
  [
    'the bottom is of no such format',
    { '/img/middle': overlayImage({ base: 'bottom', format: 'overlay' }) },
    'ERR_NOT_THIS_FORMAT',
  ],
  [
    'the recorded format is unknown',
    { '/img/middle': overlayImage({ base: 'bottom', format: 'vmdk' }) },
    'ERR_UNKNOWN_FORMAT',
  ],
  ['the bottom is the top', { '/img/bottom': overlayImage({ base: 'top' }) }, 'ERR_BACKING_LOOP'],
];

test.for(broken)('nothing stays open when %s', async ([, changes, code]) => {
  const { disks, driver } = world({ ...CHAIN, ...changes });
  expect((await diskErrorOf(() => disks.open('/img/top', { format: 'overlay' }))).code).toBe(code);
  expect(driver.opened).toBeGreaterThan(0);
  expect(driver.openPaths).toEqual([]);
});

test.for(Object.keys(CHAIN))('nothing stays open when reading %s fails', async (failing) => {
  const wrap = (disk: DiskModule, path: string) => (path === failing ? faultDisk(disk, { failAt: 1 }) : disk);
  const { disks, driver } = world(CHAIN, { wrap });
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_IO');
  expect(driver.openPaths).toEqual([]);
});

test.for(Object.keys(CHAIN))('nothing stays open when %s cannot be initialised', async (failing) => {
  const wrap = (disk: DiskModule, path: string): DiskModule => {
    if (path === failing) disk.init = () => Promise.reject(new DiskError('ERR_IO', 'no'));
    return disk;
  };
  const { disks, driver } = world(CHAIN, { wrap });
  expect((await diskErrorOf(() => disks.open('/img/top'))).code).toBe('ERR_IO');
  expect(driver.openPaths).toEqual([]);
});

test('a disk that is given to open is closed when opening fails', async () => {
  const { disks } = world({});
  const given = new MemoryDisk(overlayImage({ version: 2 }));
  const close = vi.spyOn(given, 'close');
  expect((await diskErrorOf(() => disks.open(given))).code).toBe('ERR_CORRUPT');
  expect(close).toHaveBeenCalledTimes(1);
});

test('a disk that is given to open is closed when the options make no sense', async () => {
  const { disks } = world({});
  for (const options of [{ mountMode: 'x' as string as 'r' }, { offset: -1 }, { offset: 99_999 }]) {
    const given = new MemoryDisk(overlayImage());
    const close = vi.spyOn(given, 'close');
    expect((await diskErrorOf(() => disks.open(given, options))).code).toBe('ERR_ARGUMENT');
    expect(close).toHaveBeenCalledTimes(1);
  }
});

test('the error of opening is thrown, also when closing fails after it', async () => {
  const { disks } = world({});
  const given = new MemoryDisk(overlayImage({ version: 2 }));
  given.close = () => Promise.reject(new DiskError('ERR_IO', 'closing fails too'));
  expect((await diskErrorOf(() => disks.open(given))).code).toBe('ERR_CORRUPT');
});

test('a disk that a format is pushed on is owned by the result', async () => {
  const { disks } = world({});
  const below = new MemoryDisk(overlayImage());
  await below.init();
  const close = vi.spyOn(below, 'close');
  const disk = await disks.push(below);
  expect(close).not.toHaveBeenCalled();
  await disk.close();
  expect(close).toHaveBeenCalledTimes(1);
});

test.for([
  ['the image is corrupt', { version: 2 }, {}, 'ERR_CORRUPT'],
  ['the declared format is unknown', {}, { format: 'vmdk' }, 'ERR_UNKNOWN_FORMAT'],
  ['the base may not be opened', { base: '/etc/passwd' }, {}, 'ERR_BACKING_DENIED'],
  ['the base is missing', { base: 'missing' }, {}, 'ERR_NOT_FOUND'],
  ['the base is corrupt', { base: 'broken' }, {}, 'ERR_CORRUPT'],
] as const)(
  'a pushed-on disk stays open, and nothing else does, when %s',
  async ([, image, options, code]) => {
    const { disks, driver } = world({ '/img/broken': overlayImage({ version: 3 }) });
    await using below = new MemoryDisk(overlayImage(image));
    await below.init();
    expect((await diskErrorOf(() => disks.push(below, { ...options, location: '/img/lv' }))).code).toBe(code);
    expect(await below.read(0, 4)).toHaveLength(4);
    expect(driver.openPaths).toEqual([]);
  },
);

test.for([1, 2, 3, 4, 5] as const)(
  'nothing stays open when the signal fires at storage read %d',
  async (count) => {
    const controller = new AbortController();
    let reads = 0;
    const wrap = (disk: DiskModule): DiskModule => {
      const read = disk.read.bind(disk);
      const plainDisk = faultDisk(disk); // without readInto: every read comes through here
      plainDisk.read = (offset, length, io) => {
        if (++reads === count) controller.abort();
        return read(offset, length, io);
      };
      return plainDisk;
    };
    const { disks, driver } = world(CHAIN, { wrap });
    const error = await diskErrorOf(() => disks.open('/img/top', { signal: controller.signal }));
    expect(error.code).toBe('ERR_ABORTED');
    expect(driver.openPaths).toEqual([]);
  },
);

test('a signal that has fired already ends the opening', async () => {
  const { disks, driver } = world(CHAIN);
  const signal = AbortSignal.abort();
  expect((await diskErrorOf(() => disks.open('/img/top', { signal }))).code).toBe('ERR_ABORTED');
  expect(driver.openPaths).toEqual([]);
});
