import { expect, test } from 'vitest';
import type { Able } from '../../src/contracts/abilities.ts';
import type { Io } from '../../src/contracts/disk-module.ts';
import type { DiskExtent } from '../../src/contracts/extent.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { DiskError, type DiskErrorCode } from '../../src/errors/disk-error.ts';
import { describeDiskModule, diskErrorOf, pattern } from '../../src/testing/index.ts';
import { copyDisk } from '../../src/transfer/copy-disk.ts';
import { salvaged } from '../../src/transfer/salvage.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const CLUSTER = 64 * KiB;

interface Damage {
  readonly from: number;
  readonly to: number;
  readonly code: DiskErrorCode;
  /** The byte of the file that the error names: the same for all reads, or that of the bytes themselves. */
  readonly at: number | 'own';
}

/** Bytes of which some cannot be read. */
class DamagedDisk extends MemoryDisk implements Able<'info' | 'extents'> {
  reads = 0;
  readonly #damages: readonly Damage[];
  readonly #isLate: boolean;

  constructor(size: number, damages: readonly Damage[], isLate = false) {
    super(pattern(size));
    this.#damages = damages;
    this.#isLate = isLate;
  }

  info(): ReturnType<Able<'info'>['info']> {
    return { format: 'toy', virtualSize: this.size(), clusterSize: CLUSTER, details: {} } as never;
  }

  #check(offset: number, length: number): void {
    for (const { from, to, code, at } of this.#damages) {
      const bad = Math.max(from, offset);
      if (bad < to && offset + length > from)
        throw new DiskError(code, 'damaged', { offset: at === 'own' ? bad : at });
    }
  }

  override readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined {
    this.reads++;
    if (!this.#isLate) {
      this.#check(offset, into.length);
      return super.readInto(offset, into, io);
    }
    return Promise.resolve().then(async () => {
      into.fill(0xee); // a part may have arrived before the failure
      this.#check(offset, into.length);
      await super.readInto(offset, into, io);
    });
  }

  async *extents(offset = 0, length = this.size() - offset): AsyncGenerator<DiskExtent> {
    this.#check(offset, length);
    yield { offset, length, kind: 'data', depth: 0, present: true };
  }
}

async function salvage(
  disk: DamagedDisk,
): Promise<{ bytes: Uint8Array; ranges: (readonly [number, number])[] }> {
  await disk.init();
  const ranges: (readonly [number, number])[] = [];
  await using source = salvaged(disk, {
    onUnreadable: ({ offset, length, error }) => {
      expect(error).toBeInstanceOf(DiskError);
      ranges.push([offset, length]);
    },
  });
  await source.init();
  const bytes = new Uint8Array(disk.size()).fill(0xaa);
  const target = new MemoryDisk(bytes);
  await target.init();
  await copyDisk(source, target);
  return { bytes, ranges: merged(ranges) };
}

function merged(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const [offset, length] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && last[0] + last[1] === offset) last[1] += length;
    else found.push([offset, length]);
  }
  return found;
}

function withZeroes(size: number, ranges: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = pattern(size);
  for (const [offset, length] of ranges) bytes.fill(0, offset, offset + length);
  return bytes;
}

describeDiskModule('a salvaged disk without damage', {
  open: async () => {
    const disk = new MemoryDisk(pattern(200_003));
    await disk.init();
    return salvaged(disk, { onUnreadable: () => {} });
  },
  expected: pattern(200_003),
});

const cases: readonly [string, Damage[], (readonly [number, number])[]][] = [
  [
    'a broken cluster costs that cluster',
    [{ from: 5 * MiB + CLUSTER, to: 5 * MiB + 2 * CLUSTER, code: 'ERR_CORRUPT', at: 99 }],
    [[5 * MiB + CLUSTER, CLUSTER]],
  ],
  [
    'a fault that is no fault of the storage costs the cluster, however few bytes it is about',
    [{ from: CLUSTER + 700, to: CLUSTER + 701, code: 'ERR_CORRUPT', at: 'own' }],
    [[CLUSTER, CLUSTER]],
  ],
  [
    'two bytes that the storage does not return cost two sectors',
    [
      { from: 3 * MiB + 100, to: 3 * MiB + 101, code: 'ERR_IO', at: 'own' },
      { from: 3 * MiB + 5000, to: 3 * MiB + 5001, code: 'ERR_IO', at: 'own' },
    ],
    [
      [3 * MiB, 512],
      [3 * MiB + 4608, 512],
    ],
  ],
  [
    'an unreadable table costs what it leads to',
    [{ from: 4 * MiB, to: 7 * MiB, code: 'ERR_IO', at: 196_608 }],
    [[4 * MiB, 3 * MiB]],
  ],
  [
    'a file that ends in a cluster costs what follows its end',
    [{ from: 9 * MiB + 30 * KiB, to: 10 * MiB + 512, code: 'ERR_TRUNCATED', at: 'own' }],
    [[9 * MiB + 30 * KiB, MiB - 30 * KiB + 512]],
  ],
  ['nothing', [], []],
];

test.each(cases)('%s', async (_, damages, expected) => {
  for (const isLate of [false, true]) {
    const size = 12 * MiB + 777;
    const { bytes, ranges } = await salvage(new DamagedDisk(size, damages, isLate));
    expect(ranges).toEqual(expected);
    expect(Buffer.compare(bytes, withZeroes(size, expected))).toBe(0);
  }
});

test('an unreadable table takes few reads for each of its clusters', async () => {
  const disk = new DamagedDisk(64 * MiB, [{ from: 0, to: 64 * MiB, code: 'ERR_IO', at: 196_608 }]);
  await salvage(disk);
  expect(disk.reads).toBeLessThan(4 * 1024 + 100);
});

test.each([
  'ERR_ABORTED',
  'ERR_WRONG_KEY',
  'ERR_BACKING_MISMATCH',
  'ERR_BACKING_NOT_OPEN',
  'ERR_STATE',
  'ERR_UNSUPPORTED',
] as const)('%s is no damage: it ends the read', async (code) => {
  const disk = new DamagedDisk(MiB, [{ from: 0, to: 10, code, at: 0 }]);
  await disk.init();
  const source = salvaged(disk, {
    onUnreadable: () => {
      throw new Error('reported');
    },
  });
  await source.init();
  expect((await diskErrorOf(() => source.read(0, 4096))).code).toBe(code);
});

test('the signal ends it', async () => {
  const disk = new DamagedDisk(8 * MiB, [{ from: 0, to: 8 * MiB, code: 'ERR_CORRUPT', at: 0 }]);
  await disk.init();
  const controller = new AbortController();
  const source = salvaged(disk, { onUnreadable: () => controller.abort() });
  await source.init();
  const reading = source.read(0, 8 * MiB, { signal: controller.signal });
  expect((await diskErrorOf(() => reading)).code).toBe('ERR_ABORTED');
});

test('it is not written, and closing it leaves the disk open', async () => {
  const disk = new DamagedDisk(4096, []);
  await disk.init();
  const source = salvaged(disk, { onUnreadable: () => {} });
  await source.init();
  expect((await diskErrorOf(() => source.write(0, new Uint8Array(1)))).code).toBe('ERR_READ_ONLY');
  await source.close();
  expect(await disk.read(0, 4096)).toEqual(pattern(4096));
});
