import { expect, test } from 'vitest';
import { borrow } from '../../src/disks/borrowed-disk.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { SliceDisk } from '../../src/disks/slice-disk.ts';
import {
  diskErrorOf,
  type FaultDiskOptions,
  faultDisk,
  firstDifference,
  pattern,
} from '../../src/testing/index.ts';
import { CLUSTER, type ToyCluster, type ToyOptions, toyDisk, toyImage } from '../support/toy-format.ts';

function plan(kind: ToyCluster, clusters: number): ToyCluster[] {
  return new Array<ToyCluster>(clusters).fill(kind);
}

/** A disk of one kind of clusters, none a neighbour of the next in the file, on a storage with faults. */
async function opened(
  clusters: readonly ToyCluster[],
  faults: FaultDiskOptions = {},
  options: ToyOptions = {},
) {
  const image = toyImage(clusters, { scattered: true });
  const storage = faultDisk(new MemoryDisk(image.file), faults);
  const disk = toyDisk(image, storage, options);
  await disk.init();
  return { image, storage, disk };
}

test.for<[string, readonly ToyCluster[], number]>([
  ['data', plan('data', 3), 3],
  ['compressed', plan('compressed', 3), 1], // neighbours come with one read
])('a short read below %s is ERR_SHORT_READ, and never data', async ([, clusters, reads]) => {
  for (let shortReadAt = 1; shortReadAt <= reads; shortReadAt++) {
    for (const missingBytes of [1, 4096]) {
      const { disk, image } = await opened(clusters, { shortReadAt, missingBytes });
      const error = await diskErrorOf(() => disk.read(0, image.size));
      expect(error).toMatchObject({ code: 'ERR_SHORT_READ', format: 'toy', layer: '/toy.img' });
      expect(error.offset).toBe(image.entries[shortReadAt - 1]?.at);
      expect(await disk.read(0, image.size)).toEqual(image.expected); // the fault is over
    }
  }
});

test('a short read of the base is ERR_SHORT_READ, and not its end', async () => {
  const image = toyImage(plan('base', 2), { base: pattern(2 * CLUSTER) });
  const base = faultDisk(new MemoryDisk(pattern(2 * CLUSTER)), { shortReadAt: 1, missingBytes: 5000 });
  const disk = toyDisk(image, new MemoryDisk(image.file), { base });
  await disk.init();
  expect((await diskErrorOf(() => disk.read(0, image.size))).code).toBe('ERR_SHORT_READ');
  expect(await disk.read(0, image.size)).toEqual(image.expected);
});

test('a short read passes no layer that hands reads on', async () => {
  const short = () => faultDisk(new MemoryDisk(pattern(1000)), { shortReadAt: 1 });
  const slice = new SliceDisk(short(), 10);
  await slice.init();
  expect((await diskErrorOf(() => slice.read(0, 100))).code).toBe('ERR_SHORT_READ');
  const lent = borrow(short());
  await lent.init();
  expect((await diskErrorOf(() => lent.read(0, 100))).code).toBe('ERR_SHORT_READ');
});

test.for([1, 4, 8])('when part %d of 8 fails, the read fails once all parts are over', async (failAt) => {
  const error = new Error('bad sector');
  const { disk, image, storage } = await opened(plan('data', 8), {
    failAt,
    error,
    delayMs: (call) => (call === failAt ? 0 : 10),
  });
  const into = new Uint8Array(image.size);
  await expect(disk.read(0, image.size, { into })).rejects.toMatchObject({ code: 'ERR_IO', cause: error });
  expect(storage.inFlight).toBe(0);
  expect(storage.reads).toBe(8);
  const left = into.slice();
  await new Promise((resolve) => setTimeout(resolve, 15));
  expect(firstDifference(into, left)).toBeUndefined();
});

test('a part that fails synchronously waits for the parts in flight', async () => {
  const { disk, image, storage } = await opened(plan('data', 8), {
    failAt: 5,
    readInto: true,
    delayMs: (call) => (call < 5 ? 10 : 0),
  });
  expect((await diskErrorOf(() => disk.read(0, image.size))).code).toBe('ERR_IO');
  expect(storage.inFlight).toBe(0);
});

test('at most 16 parts of one read are under way, and each is read once', async () => {
  for (const readInto of [false, true]) {
    const { disk, image, storage } = await opened(plan('data', 45), { delayMs: 2, readInto });
    expect(await disk.read(1, image.size)).toEqual(image.expected.slice(1));
    expect(storage.mostInFlight).toBeLessThanOrEqual(16);
    expect(storage.mostInFlight).toBeGreaterThan(1);
    expect(storage.reads).toBe(45);
  }
});

test('exactly 16 parts of one table are under way at one time', async () => {
  const image = toyImage(plan('data', 60), { scattered: true });
  const storage = faultDisk(new MemoryDisk(image.file), { delayMs: 2 });
  const disk = toyDisk(image, storage, { tableClusters: 60 });
  await disk.init();
  expect(await disk.read(0, image.size)).toEqual(image.expected);
  expect(storage.mostInFlight).toBe(16);
});

test('neighbours in the file are one read', async () => {
  const image = toyImage(plan('data', 8));
  const storage = faultDisk(new MemoryDisk(image.file));
  const disk = toyDisk(image, storage);
  await disk.init();
  expect(await disk.read(0, image.size)).toEqual(image.expected);
  expect(storage.reads).toBe(4);
});

test('zeroes and the end of the base read no disk', async () => {
  const { disk, image, storage } = await opened([...plan('zero', 2), 'reserved', ...plan('base', 3)]);
  expect(await disk.read(0, image.size)).toEqual(new Uint8Array(image.size));
  expect(storage.reads).toBe(0);
});

test('reads of one compressed cluster share one read, at one time and later', async () => {
  const { disk, image, storage } = await opened(plan('compressed', 2), { delayMs: 3 });
  const reads = Array.from({ length: 20 }, (_, index) => disk.read(index * 50, 60));
  for (const [index, bytes] of (await Promise.all(reads)).entries()) {
    expect(bytes).toEqual(image.expected.slice(index * 50, index * 50 + 60));
  }
  expect(storage.reads).toBe(1);
  expect(await disk.read(100, 200)).toEqual(image.expected.slice(100, 300));
  expect(storage.reads).toBe(1);
});

test('an aborted reader does not fail a compressed cluster for the others', async () => {
  const { disk, image, storage } = await opened(plan('compressed', 1), { delayMs: 5 });
  const controller = new AbortController();
  const into = new Uint8Array(60);
  const refused = diskErrorOf(() => disk.read(0, 60, { signal: controller.signal, into }));
  const served = disk.read(10, 60);
  controller.abort();
  expect((await refused).code).toBe('ERR_ABORTED');
  expect(await served).toEqual(image.expected.slice(10, 70));
  expect(into).toEqual(new Uint8Array(60));
  expect(storage.reads).toBe(1);
});

test('an aborted read ends immediately, and the disk stays usable', async () => {
  const { disk, image, storage } = await opened(plan('data', 40), { delayMs: 5 });
  const controller = new AbortController();
  const refused = diskErrorOf(() => disk.read(0, image.size, { signal: controller.signal }));
  controller.abort();
  expect((await refused).code).toBe('ERR_ABORTED');
  expect(storage.reads).toBeLessThan(40);
  expect(await disk.read(0, image.size)).toEqual(image.expected);
});

test.for<[string, (file: Uint8Array, at: number, stored: number) => void]>([
  ['mark 0, not 82', (file, at) => file.fill(0, at, at + 1)],
  ['the stream ends after', (file, at, stored) => file.fill(1, at + 1, at + stored)],
])('a broken compressed cluster is ERR_CORRUPT (%s), the others still read', async ([why, spoil]) => {
  for (const faults of [{}, { readInto: true }] satisfies FaultDiskOptions[]) {
    const { disk, image } = await opened(plan('compressed', 3), faults);
    const { at, stored } = image.entries[1] ?? { at: 0, stored: 0 };
    spoil(image.file, at, stored);
    for (const [offset, length] of [
      [CLUSTER, CLUSTER],
      [CLUSTER + 100, 10],
      [0, 3 * CLUSTER],
    ] as const) {
      const error = await diskErrorOf(() => disk.read(offset, length));
      expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'toy', layer: '/toy.img', offset: at });
      expect(error.reason).toContain('0x1000');
      expect(error.reason).toContain(why);
      expect(error.cause).toBeInstanceOf(Error);
    }
    const two = await Promise.allSettled([disk.read(CLUSTER + 1, 10), disk.read(CLUSTER + 2, 10)]);
    expect(two.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    for (const good of [0, 2 * CLUSTER]) {
      expect(await disk.read(good + 5, 100)).toEqual(image.expected.slice(good + 5, good + 105));
    }
  }
});

test('a compressed cluster that starts past the end of the file is ERR_TRUNCATED', async () => {
  const image = toyImage(plan('compressed', 2));
  const at = image.entries[1]?.at ?? 0;
  const disk = toyDisk(image, new MemoryDisk(image.file.slice(0, at)));
  await disk.init();
  expect(await diskErrorOf(() => disk.read(CLUSTER, 10))).toMatchObject({
    code: 'ERR_TRUNCATED',
    offset: at,
  });
  expect(await disk.read(0, CLUSTER)).toEqual(image.expected.slice(0, CLUSTER));
});

test('a compressed cluster without a decompressor is ERR_UNSUPPORTED', async () => {
  const { disk } = await opened(plan('compressed', 1), {}, { decompress: undefined });
  expect((await diskErrorOf(() => disk.read(0, 10))).code).toBe('ERR_UNSUPPORTED');
});

test('an error of a storage without a layer gets this layer', async () => {
  const { disk } = await opened(plan('data', 2), { failAt: 1 });
  expect(await diskErrorOf(() => disk.read(0, 10))).toMatchObject({
    code: 'ERR_IO',
    format: 'toy',
    layer: '/toy.img',
  });
});
