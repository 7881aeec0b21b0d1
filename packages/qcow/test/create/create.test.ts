import { can, type DiskModule, MemoryDisk } from '@diskstack/core';
import { diskErrorOf, faultDisk } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { type CreateQcowOptions, createQcow, measureQcow } from '../../src/index.ts';
import { openBytes } from '../support/open.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

async function newDisk(bytes: Uint8Array = new Uint8Array(0)): Promise<MemoryDisk> {
  const disk = new MemoryDisk(bytes);
  await disk.init();
  return disk;
}

/** The bytes of a new image. */
async function imageOf(options: CreateQcowOptions): Promise<Uint8Array<ArrayBuffer>> {
  const disk = await newDisk();
  await createQcow(disk, options);
  return Uint8Array.from(disk.bytes);
}

/** A disk that cannot grow, like a logical volume. */
async function fixedDisk(bytes: Uint8Array): Promise<DiskModule> {
  const disk = await newDisk(bytes);
  return Object.assign(disk, { resize: undefined });
}

describe('the bytes of a new image', () => {
  test('the header, the refcount table, a block and the L1 table, in this order', async () => {
    const bytes = await imageOf({ size: MiB, clusterSize: 512 });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect(bytes.subarray(0, 4)).toEqual(Uint8Array.of(0x51, 0x46, 0x49, 0xfb));
    expect({
      version: view.getUint32(4),
      clusterBits: view.getUint32(20),
      size: view.getBigUint64(24),
    }).toEqual({
      version: 3,
      clusterBits: 9,
      size: BigInt(MiB),
    });
    expect({ l1Size: view.getUint32(36), l1: view.getBigUint64(40) }).toEqual({ l1Size: 32, l1: 1536n });
    expect({ table: view.getBigUint64(48), clusters: view.getUint32(56) }).toEqual({
      table: 512n,
      clusters: 1,
    });
    expect(view.getBigUint64(512)).toBe(1024n); // the block
    expect(Array.from({ length: 5 }, (_, index) => view.getUint16(1024 + index * 2))).toEqual([
      1, 1, 1, 1, 0,
    ]);
    expect(bytes.length).toBe(4 * 512);
  });

  test('names are bytes: what is no UTF-8 arrives as it is', async () => {
    const name = Uint8Array.of(0x61, 0xff, 0xfe, 0x62);
    const bytes = await imageOf({ size: MiB, backing: { name, format: 'raw' } });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const at = Number(view.getBigUint64(8));
    expect(bytes.subarray(at, at + view.getUint32(16))).toEqual(name);
  });

  test.each([1, 1023])('a backing file name of %i bytes', async (length) => {
    const bytes = await imageOf({ size: MiB, backing: { name: 'n'.repeat(length) } });
    await using disk = await openBytes(bytes, { metadataOnly: true });
    expect(can(disk, 'info') && disk.info().backing?.name).toBe('n'.repeat(length));
  });

  test('a large preallocated image counts the clusters of its refcounts too', async () => {
    const bytes = await imageOf({
      size: 24 * MiB,
      clusterSize: 512,
      refcountBits: 64,
      preallocation: 'metadata',
    });
    await using disk = await openBytes(bytes);
    const report = can(disk, 'check') ? await disk.check() : undefined;
    expect(report).toMatchObject({ corruptions: 0, leaks: 0, errors: 0, allocatedClusters: 49_152 });
  });
});

describe('the disk below', () => {
  test('is made longer, and shorter, and keeps nothing of what was on it', async () => {
    const disk = await newDisk(new Uint8Array(8 * MiB).fill(0xee));
    await createQcow(disk, { size: MiB, preallocation: 'metadata' });
    await using image = await openBytes(disk.bytes.slice());
    expect(await image.read(0, MiB)).toEqual(new Uint8Array(MiB));
  });

  test.each(['off', 'metadata', 'full'] as const)(
    'may have a fixed size: preallocation %s',
    async (preallocation) => {
      const bytes = new Uint8Array(4 * MiB).fill(0xee);
      await createQcow(await fixedDisk(bytes), { size: 2 * MiB, preallocation, clusterSize: 4 * KiB });
      await using image = await openBytes(bytes);
      expect(await image.read(0, 2 * MiB)).toEqual(new Uint8Array(2 * MiB));
      expect(can(image, 'check') && (await image.check())).toMatchObject({
        corruptions: 0,
        leaks: 0,
        errors: 0,
      });
    },
  );

  test('that is too short for it is refused before anything is written', async () => {
    const bytes = new Uint8Array(100 * KiB).fill(0xee);
    const error = await diskErrorOf(async () => createQcow(await fixedDisk(bytes), { size: MiB }));
    expect(error.code).toBe('ERR_NO_SPACE');
    expect(bytes.every((byte) => byte === 0xee)).toBe(true);
  });

  test('holds no image until the last write, whichever one fails: neither the new one nor an old one', async () => {
    const old = await imageOf({ size: 3 * MiB, preallocation: 'metadata' });
    const fails = async (failWriteAt: number): Promise<boolean> => {
      const bytes = Uint8Array.from(old);
      const disk = faultDisk(await newDisk(bytes), { failWriteAt }); // it has a fixed size
      await disk.init();
      const error = await createQcow(disk, { size: MiB, preallocation: 'metadata' }).catch(
        (cause: unknown) => cause,
      );
      if (error === undefined) return false;
      expect(error).toMatchObject({ code: 'ERR_IO' });
      if (failWriteAt > 1) expect(bytes.subarray(0, 4)).toEqual(new Uint8Array(4));
      return true;
    };
    let failAt = 1;
    while (await fails(failAt)) failAt++;
    expect(failAt).toBeGreaterThan(5);
  });

  test('an abort ends it', async () => {
    const signal = AbortSignal.abort();
    const error = await diskErrorOf(async () => createQcow(await newDisk(), { size: MiB, signal }));
    expect(error.code).toBe('ERR_ABORTED');
  });

  test('progress reaches its end', async () => {
    const steps: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }): number => steps.push(done / total);
    await createQcow(await newDisk(), { size: 5 * MiB, preallocation: 'full', onProgress });
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(1);
  });
});

describe('encryption', () => {
  const passphrase = new TextEncoder().encode('open sesame');
  const keys = { keyFor: async () => passphrase };
  const luks = { kind: 'luks', passphrase, settings: { iterations: 1000 } } as const;

  test.each([
    ['luks', { encryption: luks }],
    ['luks, preallocated', { encryption: luks, preallocation: 'metadata' }],
    ['luks of version 2, preallocated', { encryption: luks, preallocation: 'metadata', version: 2 }],
    ['luks with sub-clusters, preallocated', { encryption: luks, preallocation: 'full', extendedL2: true }],
    ['aes', { encryption: { kind: 'aes', passphrase } }],
    [
      'aes of version 2, preallocated',
      { encryption: { kind: 'aes', passphrase }, preallocation: 'metadata', version: 2 },
    ],
  ] as const)('%s: reads as zeroes', async (_, options) => {
    const bytes = await imageOf({ size: 3 * MiB, ...options });
    await using disk = await openBytes(bytes, { services: { keys } });
    expect(await disk.read(0, 3 * MiB)).toEqual(new Uint8Array(3 * MiB));
    expect(can(disk, 'check') && (await disk.check())).toMatchObject({ corruptions: 0, leaks: 0, errors: 0 });
  });

  test('a cipher that is not known is refused before anything is written', async () => {
    const disk = await newDisk(new Uint8Array(10));
    const settings = { iterations: 1000, cipher: 'rot13-256' };
    const error = await diskErrorOf(() => createQcow(disk, { size: MiB, encryption: { ...luks, settings } }));
    expect(error.code).toBe('ERR_UNSUPPORTED');
    expect(disk.size()).toBe(10);
  });
});

const DATA = { name: 'd', disk: undefined as unknown as DiskModule };

test.each<[string, Partial<CreateQcowOptions>, string]>([
  ['version 4', { version: 4 as 3 }, 'version 4'],
  ['a cluster size that is no power of two', { clusterSize: 1000 }, '1000'],
  ['clusters of 256 bytes', { clusterSize: 256 }, '256'],
  ['clusters of 4 MiB', { clusterSize: 4 * MiB }, '4194304'],
  ['refcounts of 3 bits', { refcountBits: 3 }, '3 bits'],
  ['refcounts of 128 bits', { refcountBits: 128 }, '128 bits'],
  ['refcounts of 8 bits in version 2', { refcountBits: 8, version: 2 }, 'version 3'],
  ['extended L2 in version 2', { extendedL2: true, version: 2 }, 'version 3'],
  ['extended L2 in small clusters', { extendedL2: true, clusterSize: 8 * KiB }, '16384'],
  ['lazy refcounts in version 2', { lazyRefcounts: true, version: 2 }, 'version 3'],
  ['zstd in version 2', { compressionType: 'zstd', version: 2 }, 'version 3'],
  ['another compression', { compressionType: 'lzma' as 'zstd' }, 'lzma'],
  ['a data file in version 2', { dataFile: DATA, version: 2 }, 'version 3'],
  [
    'a raw data file with a base',
    { dataFile: { ...DATA, raw: true }, backing: { name: 'b' } },
    'raw data file',
  ],
  ['preallocation over a base', { preallocation: 'full', backing: { name: 'b' } }, 'hide'],
  ['another preallocation', { preallocation: 'some' as 'off' }, 'some'],
  ['a name without a byte', { backing: { name: '' } }, 'empty'],
  ['a name with a NUL', { backing: { name: 'a\0b' } }, 'NUL'],
  ['a name of 1024 bytes', { backing: { name: 'n'.repeat(1024) } }, '1024'],
  ['a name that does not fit', { backing: { name: 'n'.repeat(500) }, clusterSize: 512 }, '512'],
  ['a fraction of a byte', { size: Number.NaN }, 'NaN'],
  ['a negative size', { size: -512 }, '-512'],
  ['more than 2^53 bytes', { size: 2 ** 54, clusterSize: 2 * MiB }, '2^53'],
  ['an L1 table of more than 32 MiB', { size: 2 ** 40, clusterSize: 512 }, 'larger clusters'],
])('%s is refused by name, and the disk is left alone', async (_, options, named) => {
  const disk = await newDisk(new Uint8Array(10));
  const error = await diskErrorOf(() => createQcow(disk, { size: MiB, ...options }));
  expect(error.code).toBe('ERR_ARGUMENT');
  expect(error.reason).toContain(named);
  expect(disk.size()).toBe(10);
});

test('measure counts what creating it takes', async () => {
  for (const options of [
    { size: 5 * MiB },
    { size: 100_001, clusterSize: 512, refcountBits: 64 },
    { size: 40 * MiB, clusterSize: 16 * KiB, extendedL2: true },
  ]) {
    const { fullyAllocated } = await measureQcow(options);
    const bytes = await imageOf({ ...options, preallocation: 'metadata' });
    expect(Math.ceil(bytes.length / (options.clusterSize ?? 65_536))).toBe(
      fullyAllocated / (options.clusterSize ?? 65_536),
    );
  }
});
