import { DEFAULT_LIMITS, DiskError, type DiskModule, type Limits, MemoryDisk } from '@diskstack/core';
import { describe, expect, test } from 'vitest';
import { bitmapDirectory, bitmapsExtension } from './support/bitmaps.ts';
import { busyMilliseconds } from './support/cost.ts';
import { qcow1Image, qcow2Image } from './support/image-builder.ts';
import { memoryGate } from './support/memory-gate.ts';
import { openDisk } from './support/open.ts';
import { watchPeak } from './support/peak.ts';
import { snapshotTable } from './support/snapshot-table.ts';
import { sparseDisk } from './support/sparse-disk.ts';

// docs/security.md guarantees the limit of 1 s and 64 MiB for any file, on any machine. It is not a benchmark: these images
// open in milliseconds, so only work that follows a field of the image exceeds the limit. Memory is sampled during the
// open, so a buffer that is dropped on the way to an error counts.

const MiB = 2 ** 20;
const TiB = 2 ** 40;
const AT = 8 * MiB;

const memory = (bytes: Uint8Array): DiskModule => new MemoryDisk(bytes, { writable: false });

async function expectBounded(
  image: () => DiskModule,
  options: Parameters<typeof openDisk>[1] = {},
): Promise<unknown> {
  const open = (file: DiskModule) => openDisk(file, options).catch((error: unknown) => error);
  const timed = image();
  await timed.init();
  const start = busyMilliseconds();
  const result = await open(timed);
  expect(busyMilliseconds() - start).toBeLessThan(1000);

  const watched = image();
  await watched.init();
  const peak = watchPeak(watched);
  const again = await open(peak.disk);
  expect(peak.most()).toBeLessThan(64 * MiB);
  for (const each of [result, again]) {
    if (each instanceof Error) expect(each).toBeInstanceOf(DiskError);
    else await (each as DiskModule).close();
  }
  return result;
}

const sparse = (image: Uint8Array) => () => sparseDisk(image, TiB);
const small = (image: Uint8Array) => () => memory(image);

function snapshots(count: number): () => DiskModule {
  const entry = snapshotTable([{ l1TableOffset: 8192, l1Size: 1, id: '1', name: 'a' }]);
  const table = new Uint8Array(entry.length * count);
  for (let index = 0; index < count; index++) table.set(entry, index * entry.length);
  return sparse(qcow2Image({ header: { nbSnapshots: count, snapshotsOffset: AT }, at: [[AT, table]] }));
}

function bitmaps(count: number): () => DiskModule {
  const entry = bitmapDirectory([{ tableOffset: 8192, tableSize: 1, name: 'b' }]);
  const directory = new Uint8Array(entry.length * count);
  for (let index = 0; index < count; index++) directory.set(entry, index * entry.length);
  return sparse(
    qcow2Image({
      header: { autoclearFeatures: 1n },
      extensions: [bitmapsExtension(count, directory.length, AT)],
      at: [[AT, directory]],
    }),
  );
}

const L1_2_GIB_V1 = qcow1Image({
  clusterBits: 9,
  l2Bits: 6,
  size: MiB,
  header: { size: 2n ** 43n },
  fileSize: 50_000,
});
const empty = { type: 0x1234, data: new Uint8Array(0) };

describe('a hostile image is refused at a bounded cost', () => {
  test.each([
    [
      'an L1 table of 8 bytes more than 32 MiB',
      sparse(qcow2Image({ header: { l1Size: 2 ** 22 + 1 } })),
      'ERR_LIMIT',
    ],
    ['l1_size 0xffffffff', sparse(qcow2Image({ header: { l1Size: 2 ** 32 - 1 } })), 'ERR_LIMIT'],
    ['a disk of 2^63 bytes', small(qcow2Image({ header: { size: 2n ** 63n } })), 'ERR_UNSUPPORTED'],
    ['a disk of 2^53 - 1 bytes', small(qcow2Image({ header: { size: 2n ** 53n - 1n } })), 'ERR_CORRUPT'],
    ['version 1 with an L1 table of 2 GiB in a file of 50 KB', small(L1_2_GIB_V1), 'ERR_LIMIT'],
    [
      'header_length 0xffffffff',
      sparse(qcow2Image({ header: { headerLength: 2 ** 32 - 1 } })),
      'ERR_CORRUPT',
    ],
    ['a backing name of 1024 bytes', small(qcow2Image({ backing: 'n'.repeat(1024) })), 'ERR_LIMIT'],
    [
      'a backing name of 4 GiB',
      sparse(qcow2Image({ header: { backingFileOffset: 200, backingFileSize: 2 ** 32 - 1 } })),
      'ERR_LIMIT',
    ],
  ] as const)('%s', async (_, image, code) => {
    expect(await expectBounded(image)).toMatchObject({ code });
  });
});

describe('a table beside the disk opens at a bounded cost', () => {
  test.each([
    [
      'a refcount table of 0xffffffff clusters',
      sparse(qcow2Image({ header: { refcountTableClusters: 2 ** 32 - 1 } })),
    ],
    ['65,536 snapshots', snapshots(65_536)],
    ['65,535 bitmaps', bitmaps(65_535)],
    [
      '2 MiB of header extensions without content',
      small(qcow2Image({ clusterBits: 21, extensions: new Array(262_000).fill(empty) })),
    ],
  ] as const)('%s', async (_, image) => {
    expect(await expectBounded(image)).toMatchObject({ diskType: 'QCOW' });
  });

  test.each([65_537, 2 ** 32 - 1])('%i snapshots, none of which can be opened', async (count) => {
    const image =
      count < 2 ** 20
        ? snapshots(count)
        : sparse(qcow2Image({ header: { nbSnapshots: count, snapshotsOffset: AT } }));
    expect(await expectBounded(image)).toMatchObject({ diskType: 'QCOW' });
    expect(await expectBounded(image, { snapshot: 'a' })).toMatchObject({ code: 'ERR_LIMIT' });
  });

  test('65,536 bitmaps, none of which is told', async () => {
    const image = bitmaps(65_536);
    const disk = await expectBounded(image);
    expect(disk).toMatchObject({ diskType: 'QCOW' });
    const again = await openDisk(image());
    expect('bitmaps' in again && typeof again.bitmaps === 'function' ? again.bitmaps() : []).toEqual([]);
    await again.close();
  });
});

describe('where a caller lifts the limits, the file still bounds the cost', () => {
  const limits: Partial<Limits> = {
    maxTableBytes: 2 ** 40,
    maxSnapshots: 2 ** 32,
    maxSnapshotTableBytes: 2 ** 40,
    maxBitmaps: 2 ** 32,
    maxNameBytes: 2 ** 32,
  };
  test.each([
    [
      'an L1 table of 32 GiB',
      small(
        qcow2Image({
          clusterBits: 16,
          l1: [],
          size: 2 ** 52,
          header: { l1Size: 2 ** 32 - 1 },
        }),
      ),
      'ERR_TRUNCATED',
    ],
    ['an L1 table of 2 GiB of version 1', small(L1_2_GIB_V1), 'ERR_TRUNCATED'],
    [
      'a backing name of 4 GiB',
      small(qcow2Image({ header: { backingFileOffset: 200, backingFileSize: 2 ** 32 - 1 } })),
      'ERR_CORRUPT',
    ],
  ] as const)('%s', async (_, image, code) => {
    expect(await expectBounded(image, { services: { limits } })).toMatchObject({ code });
  });

  test('4 billion snapshots', async () => {
    const image = small(qcow2Image({ header: { nbSnapshots: 2 ** 32 - 1, snapshotsOffset: 4096 } }));
    const result = await expectBounded(image, { services: { limits }, snapshot: '1' });
    expect(result).toMatchObject({ code: 'ERR_TRUNCATED' });
  });
});

describe('a chain opens or ends at a bounded cost', () => {
  const files = (disks: number) =>
    Object.fromEntries(
      Array.from({ length: disks - 1 }, (_, index) => [
        `disk ${index + 1}`,
        qcow2Image(index + 2 < disks ? { backing: `disk ${index + 2}` } : {}),
      ]),
    );
  const top = small(qcow2Image({ backing: 'disk 1' }));

  const { maxChainDepth } = DEFAULT_LIMITS;

  test('of as many disks as are allowed, which opens', async () => {
    const result = await expectBounded(top, { services: { gate: memoryGate(files(maxChainDepth)) } });
    expect(result).toMatchObject({ diskType: 'QCOW' });
  });

  test('of one more, which is refused', async () => {
    const result = await expectBounded(top, { services: { gate: memoryGate(files(maxChainDepth + 1)) } });
    expect(result).toMatchObject({ code: 'ERR_LIMIT' });
  });
});

test('what is measured here would show a table that is too large', async () => {
  const l1Size = 2 ** 24;
  const file = sparseDisk(
    qcow2Image({ clusterBits: 14, l1: [], size: l1Size * 2 ** 25, header: { l1Size, l1TableOffset: AT } }),
    TiB,
  );
  const peak = watchPeak(file);
  await using disk = await openDisk(peak.disk, { services: { limits: { maxTableBytes: 2 ** 30 } } });
  expect(peak.most()).toBeGreaterThan(64 * MiB);
  expect(disk.size()).toBe(l1Size * 2 ** 25);
});
