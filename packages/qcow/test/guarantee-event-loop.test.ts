import {
  borrow,
  CachedDisk,
  can,
  compareDisks,
  createDisks,
  type DiskModule,
  MemoryDisk,
  SliceDisk,
} from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';
import { raw } from '@diskstack/raw';
import { beforeAll, describe, expect, test } from 'vitest';
import { createQcow, qcow2 } from '../src/index.ts';

// The library runs in servers: timers must run beside every loop of public calls, even when no call ever waits.

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const disks = createDisks({ formats: [raw, qcow2], codecs: zlibCodecs });

/** The least ticks of a timer while a loop runs. A starved event loop has none. */
const TICKS = 10;
/** Milliseconds after which a loop with too few ticks has starved its timer. */
const PATIENCE = 10_000;

/** Repeats the work until a timer of 5 ms has ticked often enough, and returns how often it has. */
async function ticksBeside(work: (round: number) => Promise<unknown>): Promise<number> {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const end = Date.now() + PATIENCE;
  try {
    for (let round = 0; ticks < TICKS && Date.now() < end; round++) await work(round);
    return ticks;
  } finally {
    clearInterval(timer);
  }
}

/** Ticks of a timer of 5 ms during one call. */
async function ticksDuring(work: () => Promise<unknown>): Promise<number> {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  try {
    await work();
    return ticks;
  } finally {
    clearInterval(timer);
  }
}

async function emptyImage(size: number, clusterSize = 65_536): Promise<Uint8Array> {
  const disk = new MemoryDisk(new Uint8Array(0));
  await disk.init();
  await createQcow(disk, { size, clusterSize });
  return disk.bytes.slice();
}

const opened = async (image: Uint8Array, mountMode: 'r' | 'rw' = 'r'): Promise<DiskModule> =>
  await disks.open(image, { format: 'qcow2', mountMode });

let compressed: Uint8Array;
let filled: Uint8Array;

beforeAll(async () => {
  const content = new Uint8Array(4 * MIB).map((_, index) => (index % 251) + (index >>> 16));
  const image = await emptyImage(4 * MIB);
  const disk = new MemoryDisk(image);
  await using target = await disks.open(disk, { format: 'qcow2', mountMode: 'rw' });
  if (!can(target, 'writeCompressed')) throw new Error('no compressed clusters');
  for (let at = 0; at < content.length; at += 65_536)
    await target.writeCompressed(at, content.subarray(at, at + 65_536));
  await target.close();
  compressed = disk.bytes.slice();
  const plain = new MemoryDisk(await emptyImage(4 * MIB));
  await using written = await disks.open(plain, { format: 'qcow2', mountMode: 'rw' });
  await written.write(0, content);
  await written.close();
  filled = plain.bytes.slice();
});

describe('timers run beside a loop of', () => {
  test.for([
    ['small reads of an empty image', async () => opened(await emptyImage(20 * GIB)), 4096],
    ['large reads of an empty image', async () => opened(await emptyImage(20 * GIB)), 4 * MIB],
    ['small reads of data in memory', async () => opened(filled), 4096],
    ['large reads of data in memory', async () => opened(filled), 4 * MIB],
    ['small reads of compressed clusters', async () => opened(compressed), 4096],
    ['large reads of compressed clusters', async () => opened(compressed), 4 * MIB],
    ['reads of a raw disk', async () => disks.open(new Uint8Array(8 * MIB), { format: 'raw' }), 65_536],
    ['reads of a storage', async () => ready(new MemoryDisk(new Uint8Array(8 * MIB))), 65_536],
    [
      'reads of a slice',
      async () => ready(new SliceDisk(new MemoryDisk(new Uint8Array(8 * MIB)), 512)),
      4096,
    ],
    ['reads of a lent disk', async () => ready(borrow(new MemoryDisk(new Uint8Array(8 * MIB)))), 4096],
    [
      'reads of a cached disk',
      async () => ready(new CachedDisk(new MemoryDisk(new Uint8Array(8 * MIB)))),
      4096,
    ],
  ] as const)('%s', async ([, open, length]) => {
    await using disk = await open();
    expect(
      await ticksBeside((round) => disk.read((round * length) % (disk.size() - 1), length)),
    ).toBeGreaterThanOrEqual(TICKS);
  });

  test('writes', async () => {
    await using disk = await opened(await emptyImage(GIB), 'rw');
    const bytes = new Uint8Array(4096).fill(1);
    expect(await ticksBeside((round) => disk.write((round % 2048) * 4096, bytes))).toBeGreaterThanOrEqual(
      TICKS,
    );
  });

  test('writes of zeroes, and discards', async () => {
    await using disk = await opened(await emptyImage(GIB), 'rw');
    if (!can(disk, 'writeZeroes') || !can(disk, 'discard')) throw new Error('no zeroes');
    const able = disk;
    const work = async (round: number): Promise<void> => {
      await able.writeZeroes((round % 1024) * 65_536, 65_536);
      await able.discard((round % 1024) * 65_536, 65_536);
    };
    expect(await ticksBeside(work)).toBeGreaterThanOrEqual(TICKS);
  });

  test('walks over extents', async () => {
    await using disk = await opened(filled);
    const able = disk;
    if (!can(able, 'extents')) throw new Error('no extents');
    const walk = async (): Promise<void> => {
      for await (const extent of able.extents()) if (extent.length === 0) throw new Error('an empty extent');
    };
    expect(await ticksBeside(walk)).toBeGreaterThanOrEqual(TICKS);
  });

  test('opening and closing', async () => {
    const image = filled;
    expect(
      await ticksBeside(async () => {
        await using disk = await opened(image);
        return disk.size();
      }),
    ).toBeGreaterThanOrEqual(TICKS);
  });

  test('checks', async () => {
    await using disk = await opened(filled);
    const able = disk;
    if (!can(able, 'check')) throw new Error('no check');
    expect(await ticksBeside(() => able.check())).toBeGreaterThanOrEqual(TICKS);
  });

  test('walks over the tree of a machine', async () => {
    expect(await ticksBeside(() => disks.tree([filled]))).toBeGreaterThanOrEqual(TICKS);
  });

  test('several loops at a time', async () => {
    await using disk = await opened(await emptyImage(20 * GIB));
    let going = true;
    const loops = Array.from({ length: 8 }, async (_, number) => {
      for (let at = number; going; at++) await disk.read(at * 4096, 4096);
    });
    const ticks = await ticksBeside((round) => disk.read(round * 4096, 4096));
    going = false;
    await Promise.all(loops);
    expect(ticks).toBeGreaterThanOrEqual(TICKS);
  });
});

describe('timers run during one long call', () => {
  test('a read of 512 MiB of nothing', async () => {
    await using disk = await opened(await emptyImage(GIB));
    expect(await ticksDuring(() => disk.read(0, 512 * MIB))).toBeGreaterThanOrEqual(2);
  });

  test('a walk over the extents of a large, empty disk of small clusters', async () => {
    await using disk = await opened(await emptyImage(100 * GIB, 512));
    const able = disk;
    if (!can(able, 'extents')) throw new Error('no extents');
    const walk = async (): Promise<void> => {
      for await (const extent of able.extents()) expect(extent.kind).toBe('zero');
    };
    expect(await ticksDuring(walk)).toBeGreaterThanOrEqual(1);
  });

  test('a comparison of two disks', async () => {
    await using a = await opened(compressed);
    await using b = await opened(filled);
    const often = async (): Promise<void> => {
      for (let time = 0; time < 20; time++) await compareDisks(a, b);
    };
    expect(await ticksDuring(often)).toBeGreaterThanOrEqual(2);
  });
});

test('a signal that fires after a time ends a loop of reads', async () => {
  await using disk = await opened(await emptyImage(20 * GIB));
  const signal = AbortSignal.timeout(50);
  const end = Date.now() + PATIENCE;
  const loop = async (): Promise<void> => {
    for (let at = 0; Date.now() < end; at += 4096) await disk.read(at % (10 * GIB), 4096, { signal });
  };
  await expect(loop()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('a signal that fires during a long read ends it', async () => {
  await using disk = await opened(await emptyImage(4 * GIB));
  const into = new Uint8Array(GIB);
  const signal = AbortSignal.timeout(5);
  await expect(disk.read(0, GIB, { signal, into })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

async function ready<T extends DiskModule>(disk: T): Promise<T> {
  await disk.init();
  return disk;
}
