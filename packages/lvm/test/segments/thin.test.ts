import { can, type DiskExtent } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import type { Volume } from '@diskstack/core/volumes';
import { describe, expect, test } from 'vitest';
import { BLOCK, mapping, node, seal, thinSuperblock } from '../support/dm-blocks.ts';
import { findSets } from '../support/fixtures.ts';
import { groupText, linearText, pvWith, volumeText } from '../support/pv-builder.ts';

// A pool whose metadata is extent 0 (16 blocks), and whose data is extents 1 to 4: 64 blocks of 4 KiB.
const EXTENT = 65_536;
const TIB = 2 ** 40;
const DATA_AT = 2 * EXTENT;

interface Pool {
  /** Blocks of the metadata, by number. */
  readonly blocks: Readonly<Record<number, Uint8Array>>;
  /** Extents of the thin volume. */
  readonly extents?: number;
  readonly fields?: string;
  readonly more?: string;
}

async function thinVolume({ blocks, extents = 4, fields = '', more = '' }: Pool): Promise<Volume> {
  const text = groupText(
    linearText('tmeta', 'pv0', 0) +
      linearText('tdata', 'pv0', 1, 4) +
      volumeText('pool', [
        [4, 'type = "thin-pool" metadata = "tmeta" pool = "tdata" transaction_id = 1 chunk_size = 8'],
      ]) +
      volumeText('thin', [
        [extents, `type = "thin" thin_pool = "pool" transaction_id = 0 device_id = 7 ${fields}`],
      ]) +
      more,
  );
  const damage = (bytes: Uint8Array): void => {
    for (const [number, block] of Object.entries(blocks)) bytes.set(block, EXTENT + Number(number) * BLOCK);
    for (let block = 0; block < 64; block++)
      bytes.fill(block + 1, DATA_AT + block * BLOCK, DATA_AT + (block + 1) * BLOCK);
  };
  const [set] = await findSets([await pvWith(text, { damage })]);
  return set?.volumes.find(({ name }) => name === 'thin') as Volume;
}

const superblock = thinSuperblock(1, 8);
const devices = node(1, 'leaf', [[7, 2n]]);

async function extentsOf(volume: Volume): Promise<readonly DiskExtent[]> {
  await using disk = await volume.open();
  const extents: DiskExtent[] = [];
  if (can(disk, 'extents')) for await (const extent of disk.extents()) extents.push(extent);
  return extents;
}

describe('where blocks are', () => {
  test('mapped blocks in any order, zeroes between them, neighbours as one', async () => {
    const leaf = node(2, 'leaf', [
      [1, mapping(5)],
      [2, mapping(6)],
      [3, mapping(9)],
      [60, mapping(0, 0xff_ffff)],
    ]);
    const volume = await thinVolume({ blocks: { 0: superblock, 1: devices, 2: leaf } });
    expect(
      (await extentsOf(volume)).map(({ offset, length, kind, at }) => [
        offset / BLOCK,
        length / BLOCK,
        kind,
        at,
      ]),
    ).toEqual([
      [0, 1, 'zero', undefined],
      [1, 2, 'data', DATA_AT + 5 * BLOCK],
      [3, 1, 'data', DATA_AT + 9 * BLOCK],
      [4, 56, 'zero', undefined],
      [60, 1, 'data', DATA_AT],
      [61, 3, 'zero', undefined],
    ]);
    await using disk = await volume.open();
    const bytes = await disk.read(BLOCK - 2, 3 * BLOCK);
    expect([bytes[0], bytes[2], bytes[2 + BLOCK], bytes[2 + 2 * BLOCK], bytes.at(-1)]).toEqual([
      0, 6, 7, 10, 10,
    ]);
  });

  test('a tree of three levels, with keys before the first child and between leaves', async () => {
    const blocks = {
      0: superblock,
      1: devices,
      2: node(2, 'internal', [[2, 3n]]),
      3: node(3, 'internal', [
        [2, 4n],
        [10, 5n],
      ]),
      4: node(4, 'leaf', [[2, mapping(1)]]),
      5: node(5, 'leaf', [[12, mapping(2)]]),
    };
    const volume = await thinVolume({ blocks });
    await using disk = await volume.open();
    const bytes = await disk.read(0, disk.size());
    const found = Array.from({ length: 64 }, (_, block) => bytes[block * BLOCK]);
    expect(found.flatMap((byte, block) => (byte === 0 ? [] : [[block, byte]]))).toEqual([
      [2, 2],
      [12, 3],
    ]);
  });

  test('16 TiB are opened and mapped with a few blocks of metadata', async () => {
    const last = (16 * TIB) / BLOCK - 1;
    const leaf = node(2, 'leaf', [[last, mapping(3)]]);
    const volume = await thinVolume({
      blocks: { 0: superblock, 1: devices, 2: leaf },
      extents: (16 * TIB) / EXTENT,
    });
    expect(volume).toMatchObject({ status: 'ok', size: 16 * TIB });
    expect((await extentsOf(volume)).map(({ length, kind }) => [length, kind])).toEqual([
      [16 * TIB - BLOCK, 'zero'],
      [BLOCK, 'data'],
    ]);
    await using disk = await volume.open();
    expect(await disk.read(16 * TIB - 1, 10)).toEqual(Uint8Array.of(4));
  });

  test('an external origin shorter than the volume', async () => {
    const leaf = node(2, 'leaf', [[1, mapping(0)]]);
    const volume = await thinVolume({
      blocks: { 0: superblock, 1: devices, 2: leaf },
      fields: 'external_origin = "origin"',
      more: linearText('origin', 'pv0', 2),
    });
    await using disk = await volume.open();
    const bytes = await disk.read(0, disk.size());
    expect([bytes[0], bytes[BLOCK], bytes[2 * BLOCK], bytes[EXTENT - 1], bytes[EXTENT]]).toEqual([
      17, 1, 19, 32, 0,
    ]);
  });
});

describe('damage', () => {
  const good = {
    0: superblock,
    1: devices,
    2: node(2, 'leaf', [[0, mapping(0)]]),
    3: node(3, 'leaf', []),
    4: node(4, 'leaf', [[9, mapping(0)]]),
  };
  const flipped = (block: Uint8Array, at: number): Uint8Array => {
    const copy = block.slice();
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const changed = (
    block: Uint8Array,
    change: (view: DataView) => void,
    kind: 'superblock' | 'node' = 'node',
  ): Uint8Array => {
    const copy = block.slice();
    change(new DataView(copy.buffer));
    return seal(copy, kind);
  };

  test.for<readonly [string, Record<number, Uint8Array>, string]>([
    ['the superblock', { 0: flipped(superblock, 500) }, 'the superblock has the checksum'],
    ['its magic', { 0: changed(superblock, (view) => view.setUint8(32, 0), 'superblock') }, 'the magic is'],
    [
      'its version',
      { 0: changed(superblock, (view) => view.setUint32(40, 9, true), 'superblock') },
      'version 9',
    ],
    [
      'its block size',
      { 0: changed(superblock, (view) => view.setUint32(336, 0, true), 'superblock') },
      'data blocks have 0',
    ],
    [
      'the tree of devices',
      { 1: flipped(devices, 40) },
      'metadata block 1: the B-tree node has the checksum',
    ],
    ['a device that is not there', { 1: node(1, 'leaf', [[6, 2n]]) }, 'no device 7'],
    [
      'a node past the end',
      { 0: thinSuperblock(999, 8) },
      'metadata block 999 is needed, but the metadata volume has 16 blocks',
    ],
    ['a node of another block', { 1: node(3, 'leaf', [[7, 2n]]) }, 'records that it is block 3'],
    ['a loop of the tree of devices', { 1: node(1, 'internal', [[0, 1n]]) }, 'probably contains itself'],
    [
      'more entries than there is room for',
      { 1: changed(devices, (view) => view.setUint32(16, 300, true)) },
      'has 300 values',
    ],
    [
      'keys out of order',
      {
        1: node(1, 'leaf', [
          [7, 2n],
          [7, 3n],
        ]),
      },
      'not larger than the previous key',
    ],
    [
      'neither leaf nor internal',
      { 1: changed(devices, (view) => view.setUint32(4, 3, true)) },
      'the flags 0x3',
    ],
  ])('of %s is reported when the volume is listed', async ([, blocks, reason]) => {
    const volume = await thinVolume({ blocks: { ...good, ...blocks } });
    expect(volume.reason).toContain(reason);
    expect(volume.status).toBe(reason === 'version 9' ? 'unsupported' : 'error');
  });

  test.for<readonly [string, Uint8Array, string]>([
    [
      'the tree of mappings',
      flipped(node(2, 'leaf', [[0, mapping(0)]]), 40),
      'metadata block 2: the B-tree node has the checksum',
    ],
    [
      'a node in two places',
      node(2, 'internal', [
        [0, 4n],
        [9, 4n],
      ]),
      'has keys 9 to 9, its parent expects 0 to 9',
    ],
    ['a loop of it', node(2, 'internal', [[0, 2n]]), 'probably contains itself'],
    ['a mapping past the pool', node(2, 'leaf', [[0, mapping(64)]]), 'of the pool, which has 262144'],
    ['an empty leaf', node(2, 'internal', [[0, 3n]]), 'a node below the root of a B-tree is empty'],
    ['a child past 2^53', node(2, 'internal', [[0, 2n ** 60n]]), 'larger than 2^53'],
  ])('of %s is reported when it is read', async ([, leaf, reason]) => {
    await using disk = await (await thinVolume({ blocks: { ...good, 2: leaf } })).open();
    const error = await diskErrorOf(() => disk.read(0, 10));
    expect(error.code).toBe('ERR_CORRUPT');
    expect(error.reason).toContain(reason);
  });
});
