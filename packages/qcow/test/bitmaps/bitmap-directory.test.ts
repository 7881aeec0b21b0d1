import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import {
  type BitmapSpec,
  bitmapDirectory,
  bitmapExtentsOf,
  bitmapsExtension,
  bitmapsOf,
} from '../support/bitmaps.ts';
import { noise } from '../support/content.ts';
import { FIRST_FREE, type ImageSpec, qcow2Image, standard } from '../support/image-builder.ts';
import { infoOf, openBytes } from '../support/open.ts';

// Bitmaps that no tool would write. A cluster of bits covers 4096 × 8 × 512 bytes: 16 MiB.

const CLUSTER = 4096;
const COVERAGE = CLUSTER * 8 * 512;
const SIZE = 2 * COVERAGE + 5 * 512 + 100;
const [DATA, DIRECTORY, TABLE, BITS] = [0, 1, 2, 3].map((index) => (FIRST_FREE + index) * CLUSTER) as [
  number,
  number,
  number,
  number,
];
const content = noise(CLUSTER, 1);

function u64s(...values: readonly bigint[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64BE(value, index * 8);
  return bytes;
}

interface Options {
  readonly table?: readonly bigint[];
  readonly bits?: Uint8Array;
  readonly more?: ImageSpec;
  /** The extension, in place of the right one. */
  readonly extension?: ReturnType<typeof bitmapsExtension>;
}

function image(specs: readonly Partial<BitmapSpec>[], options: Options = {}): Uint8Array {
  const { table = [0n, 0n, 0n], bits = new Uint8Array(CLUSTER), more = {} } = options;
  const whole = specs.map((spec) => ({ tableOffset: TABLE, tableSize: 3, name: 'b', ...spec }));
  const directory = bitmapDirectory(whole);
  return qcow2Image({
    size: SIZE,
    l1: Array.from({ length: 17 }, (_, index) => (index === 0 ? BigInt(3 * CLUSTER) : 0n)),
    l2: { 0: standard(DATA) },
    ...more,
    header: { autoclearFeatures: 1n, ...more.header },
    extensions: [options.extension ?? bitmapsExtension(specs.length, directory.length, DIRECTORY)],
    at: [
      [DATA, content],
      [DIRECTORY, directory],
      [TABLE, u64s(...table)],
      [BITS, bits],
    ],
  });
}

async function extents(bytes: Uint8Array) {
  await using disk = await openBytes(bytes);
  return await bitmapExtentsOf(disk, 'b');
}

describe('what a bitmap says', () => {
  test('table entries of zero are clean, and of one are dirty', async () => {
    expect(await extents(image([{}], { table: [0n, 1n, 0n] }))).toEqual([
      { offset: 0, length: COVERAGE, dirty: false },
      { offset: COVERAGE, length: COVERAGE, dirty: true },
      { offset: 2 * COVERAGE, length: 5 * 512 + 100, dirty: false },
    ]);
  });

  test('bits are read from the least significant one on, and what is alike is one extent', async () => {
    const bits = new Uint8Array(CLUSTER);
    bits[0] = 0b1000_0110;
    bits[1] = 0b0000_0001;
    bits[CLUSTER - 1] = 0b1000_0000;
    expect(await extents(image([{}], { table: [BigInt(BITS), 1n, 1n], bits }))).toEqual([
      { offset: 0, length: 512, dirty: false },
      { offset: 512, length: 2 * 512, dirty: true },
      { offset: 3 * 512, length: 4 * 512, dirty: false },
      { offset: 7 * 512, length: 2 * 512, dirty: true },
      { offset: 9 * 512, length: COVERAGE - 10 * 512, dirty: false },
      { offset: COVERAGE - 512, length: SIZE - COVERAGE + 512, dirty: true },
    ]);
  });

  test('the last bit stands for what is left of the disk', async () => {
    const bits = new Uint8Array(CLUSTER).fill(0b0010_0000, 0, 1);
    const last = (await extents(image([{}], { table: [0n, 0n, BigInt(BITS)], bits }))).at(-1);
    expect(last).toEqual({ offset: SIZE - 100, length: 100, dirty: true });
  });

  test('an empty disk has no extents', async () => {
    expect(await extents(image([{}], { more: { size: 0, l1: [] } }))).toEqual([]);
  });

  test('a bitmap of an unknown name is not found', async () => {
    await using disk = await openBytes(image([{}]));
    expect((await diskErrorOf(() => bitmapExtentsOf(disk, 'c'))).code).toBe('ERR_NOT_FOUND');
  });
});

describe('flags', () => {
  test.each([
    ['auto', 2, ['auto'], true],
    ['none', 0, [], true],
    ['in use', 1, ['in-use'], false],
    ['both', 3, ['in-use', 'auto'], false],
  ] as const)('%s', async (_, flags, expected, consistent) => {
    await using disk = await openBytes(image([{ flags }]));
    expect(bitmapsOf(disk)).toEqual([{ name: 'b', granularity: 512, flags: expected, consistent }]);
  });

  test('without the autoclear bit nothing is consistent, and the bits are read as stored alone', async () => {
    await using disk = await openBytes(
      image([{}], { table: [1n, 0n, 0n], more: { header: { autoclearFeatures: 0n } } }),
    );
    expect(bitmapsOf(disk)).toMatchObject([{ consistent: false }]);
    expect(infoOf(disk).warnings?.join()).toContain('out of date');
    expect(infoOf(disk).specific?.data.bitmaps).toBeUndefined();
    const error = await diskErrorOf(() => bitmapExtentsOf(disk, 'b'));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow2' });
    expect(error.message).toContain('"b" is inconsistent');
    const [first] = await bitmapExtentsOf(disk, 'b', { asStored: true });
    expect(first).toEqual({ offset: 0, length: COVERAGE, dirty: true });
  });

  test('one that is in use is not read, but as it is stored', async () => {
    await using disk = await openBytes(image([{ flags: 3 }], { table: [1n, 0n, 0n] }));
    const error = await diskErrorOf(() => bitmapExtentsOf(disk, 'b'));
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', format: 'qcow2' });
    expect(error.message).toContain('"b" is inconsistent');
    const [first] = await bitmapExtentsOf(disk, 'b', { asStored: true });
    expect(first).toEqual({ offset: 0, length: COVERAGE, dirty: true });
  });

  test('an unknown type is listed as not consistent, and its bits are not read', async () => {
    await using disk = await openBytes(image([{ type: 2 }]));
    expect(bitmapsOf(disk)).toMatchObject([{ consistent: false }]);
    expect((await diskErrorOf(() => bitmapExtentsOf(disk, 'b'))).code).toBe('ERR_UNSUPPORTED');
  });

  test('extra data that has to be understood makes it unusable, and extra data that need not be is skipped', async () => {
    const extra = new Uint8Array(13).fill(9);
    await using disk = await openBytes(image([{ extra }, { name: 'c', extra, flags: 4 | 2 }]));
    expect(bitmapsOf(disk).map(({ name, consistent }) => [name, consistent])).toEqual([
      ['b', false],
      ['c', true],
    ]);
    expect((await diskErrorOf(() => bitmapExtentsOf(disk, 'b'))).code).toBe('ERR_UNSUPPORTED');
    expect(await bitmapExtentsOf(disk, 'c')).toHaveLength(1);
  });
});

describe('a directory that cannot be read', () => {
  const good = bitmapDirectory([{ tableOffset: TABLE, tableSize: 3, name: 'b' }]).length;

  test.each([
    ['past the end of the file', image([{}], { extension: bitmapsExtension(1, good, 1000 * CLUSTER) })],
    ['longer than the file', image([{}], { extension: bitmapsExtension(1, 2 ** 40, DIRECTORY) })],
    ['shorter than its entries', image([{}], { extension: bitmapsExtension(2, good, DIRECTORY) })],
    ['with an entry that is cut', image([{}], { extension: bitmapsExtension(1, 24, DIRECTORY) })],
    ['with too many entries', image([{}], { extension: bitmapsExtension(65_536, good, DIRECTORY) })],
    ['with a granularity of 2^32', image([{ granularityBits: 32 }])],
    [
      'whose extension is too short',
      image([{}], { extension: { type: 0x23852875, data: Buffer.alloc(20) } }),
    ],
  ] as const)('%s: the disk reads, with a warning', async (_, bytes) => {
    await using disk = await openBytes(bytes);
    expect(await disk.read(0, CLUSTER)).toEqual(content);
    expect(bitmapsOf(disk)).toEqual([]);
    expect(infoOf(disk).warnings?.join()).toContain('the bitmaps cannot be read');
    const error = await diskErrorOf(() => bitmapExtentsOf(disk, 'b'));
    expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', cause: { name: 'DiskError' } });
  });
});

describe('a table that cannot be read', () => {
  test.each([
    ['past the end of the file', [{ tableOffset: 1000 * CLUSTER }], {}, 'ERR_CORRUPT'],
    ['too short for the disk', [{ tableSize: 2 }], {}, 'ERR_CORRUPT'],
    [
      'that names bits past the end of the file',
      [{}],
      { table: [BigInt(1000 * CLUSTER), 0n, 0n] },
      'ERR_TRUNCATED',
    ],
  ] as const)('%s: its bits are an error, and the disk reads', async (_, specs, options, code) => {
    await using disk = await openBytes(image(specs, options));
    expect(await diskErrorOf(() => bitmapExtentsOf(disk, 'b'))).toMatchObject({ code, format: 'qcow2' });
    expect(await disk.read(0, CLUSTER)).toEqual(content);
  });
});
