import { describe, expect, test, vi } from 'vitest';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { diskErrorOf, pattern, patternDisk } from '../../src/testing/index.ts';
import { copyDisk } from '../../src/transfer/copy-disk.ts';
import { fillImage } from '../../src/transfer/fill-image.ts';
import { RateLimit } from '../../src/transfer/rate-limit.ts';

const KiB = 1024;

/** Remembers what is written. */
class Recorder extends MemoryDisk {
  readonly writes: (readonly [number, number])[] = [];
  readonly zeroes: (readonly [number, number])[] = [];

  override write(offset: number, data: Uint8Array): Promise<number> {
    this.writes.push([offset, data.length]);
    return super.write(offset, data);
  }
}

/** The same, with `writeZeroes`. */
class ZeroRecorder extends Recorder {
  async writeZeroes(offset: number, length: number): Promise<void> {
    this.zeroes.push([offset, length]);
    this.bytes.fill(0, offset, offset + length);
  }
}

/** Data with runs of zeroes of 4, 8 and 64 KiB in it. */
function content(): Uint8Array {
  const bytes = pattern(512 * KiB).map((byte) => byte || 1);
  bytes.fill(0, 16 * KiB, 20 * KiB);
  bytes.fill(0, 64 * KiB, 72 * KiB);
  bytes.fill(0, 192 * KiB, 256 * KiB);
  return bytes;
}

async function written(size: number, make: (disk: Recorder) => Promise<void>): Promise<Recorder> {
  const disk = new ZeroRecorder(new Uint8Array(size).fill(0xaa));
  await disk.init();
  await make(disk);
  return disk;
}

async function source(): Promise<MemoryDisk> {
  const disk = new MemoryDisk(content());
  await disk.init();
  return disk;
}

/** A disk that knows that all of it is zero. */
class ZeroDisk extends MemoryDisk {
  async *extents(): AsyncGenerator<DiskExtent> {
    yield { offset: 0, length: this.size(), kind: 'zero', depth: 0, present: true };
  }
}

describe('zeroes of a source, on a target with other content,', () => {
  const MiB = 1024 * KiB;
  const size = 8 * MiB;
  const pieces = (bytes: number) =>
    Array.from({ length: size / bytes }, (_, index) => [index * bytes, bytes]);

  test.for([
    ['are one call without a limit', {}, [[0, size]], 0],
    ['are short calls with a rate limit', { bytesPerSecond: 100_000_000 }, pieces(2 * MiB), 0],
    ['are written as data with minZeroes 0', { minZeroes: 0 }, [], 4],
  ] as const)('%s', async ([, options, zeroes, writes]) => {
    const from = new ZeroDisk(new Uint8Array(size));
    await from.init();
    const target = await written(size, (disk) => copyDisk(from, disk, options));
    expect(target.bytes.every((byte) => byte === 0)).toBe(true);
    expect([target.zeroes, target.writes.length]).toEqual([zeroes, writes]);
  });
});

describe('minZeroes', () => {
  test.each([
    [4 * KiB, [16, 20, 64, 72, 192, 256]],
    [8 * KiB, [64, 72, 192, 256]],
    [12 * KiB, [192, 256]],
    [64 * KiB, [192, 256]],
    [128 * KiB, []],
  ])('of %i leaves out the runs of zeroes that are so long', async (minZeroes, borders) => {
    const from = await source();
    const target = new Recorder(new Uint8Array(512 * KiB));
    await target.init();
    await copyDisk(from, target, { targetIsZero: true, minZeroes });
    const edges = [0, ...borders.map((border) => border * KiB), 512 * KiB];
    const expected = edges.flatMap((edge, index) =>
      index % 2 === 0 ? [[edge, (edges[index + 1] ?? 0) - edge]] : [],
    );
    expect(target.writes).toEqual(expected);
    expect(Buffer.compare(target.bytes, content())).toBe(0);
  });

  test('of 0 writes every byte', async () => {
    const from = await source();
    const target = new Recorder(new Uint8Array(512 * KiB));
    await target.init();
    await copyDisk(from, target, { targetIsZero: true, minZeroes: 0 });
    expect(target.writes).toEqual([[0, 512 * KiB]]);
    const image = await written(512 * KiB, async (disk) =>
      fillImage(await source(), disk, { clusterSize: 4 * KiB, minZeroes: 0 }),
    );
    expect([image.writes, image.zeroes]).toEqual([[[0, 512 * KiB]], []]);
  });

  test('an image leaves out whole clusters, or longer runs', async () => {
    for (const [minZeroes, expected] of [
      [
        4 * KiB,
        [
          [0, 192 * KiB],
          [256 * KiB, 256 * KiB],
        ],
      ],
      [128 * KiB, [[0, 512 * KiB]]],
    ] as const) {
      const image = await written(512 * KiB, async (disk) =>
        fillImage(await source(), disk, { clusterSize: 64 * KiB, minZeroes }),
      );
      expect(image.writes).toEqual(expected);
    }
  });
});

describe('an existing image', () => {
  test('gets its zeroes written', async () => {
    const image = await written(600 * KiB, async (disk) =>
      fillImage(await source(), disk, { clusterSize: 64 * KiB, targetIsZero: false }),
    );
    expect(image.zeroes).toEqual([[192 * KiB, 64 * KiB]]);
    expect(Buffer.compare(image.bytes.subarray(0, 512 * KiB), content())).toBe(0);
    expect(image.bytes.subarray(512 * KiB)).toEqual(new Uint8Array(88 * KiB).fill(0xaa));
  });

  test('as its own base gets the differences, and keeps the bytes past the end', async () => {
    const old = content();
    old.fill(7, 128 * KiB, 130 * KiB);
    old.fill(7, 200 * KiB, 201 * KiB);
    const image = new ZeroRecorder(Buffer.concat([old, pattern(KiB)]));
    await image.init();
    await fillImage(await source(), image, { clusterSize: 4 * KiB, base: image });
    expect([image.writes, image.zeroes]).toEqual([[[128 * KiB, 4 * KiB]], [[200 * KiB, 4 * KiB]]]);
    expect(Buffer.compare(image.bytes, Buffer.concat([content(), pattern(KiB)]))).toBe(0);
  });
});

describe('a rate', () => {
  test('limits the bytes per second', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const limit = new RateLimit(1000);
      let taken = 0;
      const taking = (async () => {
        for (let count = 0; count < 10; count++) {
          await limit.take(500, undefined);
          taken += 500;
        }
      })();
      for (const [seconds, most] of [
        [0, 500],
        [1, 1500],
        [1, 2500],
        [2, 4500],
      ] as const) {
        await vi.advanceTimersByTimeAsync(seconds * 1000);
        expect(taken).toBe(most);
      }
      await vi.advanceTimersByTimeAsync(5000);
      await taking;
      expect(taken).toBe(5000);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each(['copyDisk', 'fillImage'] as const)('%s is ended by the signal while it waits', async (name) => {
    const from = patternDisk(64 * KiB);
    await from.init();
    const target = new Recorder(new Uint8Array(64 * KiB));
    await target.init();
    const controller = new AbortController();
    const options = { bytesPerSecond: 1, signal: controller.signal };
    const copying =
      name === 'copyDisk'
        ? copyDisk(from, target, options)
        : fillImage(from, target, { ...options, clusterSize: 4096 });
    setTimeout(() => controller.abort(), 20);
    expect((await diskErrorOf(() => copying)).code).toBe('ERR_ABORTED');
    expect(target.writes.length).toBeLessThanOrEqual(1);
  });

  test('a slow copy is written in small pieces, and is right', async () => {
    const from = await source();
    const target = new Recorder(new Uint8Array(512 * KiB));
    await target.init();
    await copyDisk(from, target, { bytesPerSecond: 2_500_000 });
    expect(Buffer.compare(target.bytes, content())).toBe(0);
    const slow = new Recorder(new Uint8Array(512 * KiB));
    await slow.init();
    const controller = new AbortController();
    const copying = copyDisk(from, slow, {
      bytesPerSecond: 10_000,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect((await diskErrorOf(() => copying)).code).toBe('ERR_ABORTED');
    expect(slow.writes[0]).toEqual([0, 8192]);
  });
});
