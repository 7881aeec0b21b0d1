import { createCipheriv } from 'node:crypto';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { borrow, createDisks, MemoryDisk } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { noise, text } from './support/content.ts';
import {
  compressed,
  FIRST_FREE,
  qcow1Image,
  qcow2Image,
  standard,
  ZERO_FLAG,
} from './support/image-builder.ts';
import { imageFolder, openFilesBelow, openPath } from './support/image-folder.ts';
import { keyed } from './support/keys.ts';
import { FORMATS, infoOf, openBytes, readBytes } from './support/open.ts';
import { tempFolder } from './support/temp-folder.ts';

// The behaviour of the original module, row by row of docs/parity.md. Each suite has the name of its row.

const temp = tempFolder();
const CLUSTER = 4096;
const HOST = FIRST_FREE * CLUSTER;
const content = noise(CLUSTER, 1);
const base = noise(16 * CLUSTER, 2);

/** Guest cluster 0 is `content`, the rest is unallocated. */
const simple = (): Uint8Array<ArrayBuffer> =>
  qcow2Image({ l2: { 0: standard(HOST) }, at: [[HOST, content]] });

describe('QCOW_OFLAG_COPIED, QCOW_OFLAG_COMPRESSED, masks', () => {
  test('COPIED is no part of an offset, and bit 62 tells a compressed cluster', async () => {
    const stored = deflateRawSync(content);
    const image = qcow2Image({
      l2: { 0: standard(HOST), 1: compressed(HOST + CLUSTER, stored.length) },
      at: [
        [HOST, content],
        [HOST + CLUSTER, stored],
      ],
    });
    expect(await readBytes(image, 0, 2 * CLUSTER)).toEqual(Uint8Array.of(...content, ...content));
  });

  test('L2E_PREALLOCATED_MASK is the zero flag of version 3, and corrupt in version 2', async () => {
    const l2 = { 0: standard(HOST) | ZERO_FLAG };
    const at = [[HOST, content]] as const;
    expect(await readBytes(qcow2Image({ l2, at }), 0, CLUSTER)).toEqual(new Uint8Array(CLUSTER));
    expect((await diskErrorOf(() => readBytes(qcow2Image({ version: 2, l2, at }), 0, 1))).code).toBe(
      'ERR_CORRUPT',
    );
  });
});

describe('ZLIB_WINDOW_BITS', () => {
  test('a raw deflate stream of any window reads', async () => {
    for (const windowBits of [9, 12, 15]) {
      const words = text(CLUSTER, windowBits);
      const stored = deflateRawSync(words, { windowBits });
      const image = qcow2Image({ l2: { 0: compressed(HOST, stored.length) }, at: [[HOST, stored]] });
      expect(await readBytes(image, 0, CLUSTER)).toEqual(words);
    }
  });
});

describe('feature masks', () => {
  test('dirty, corrupt and lazy refcounts open and are told', async () => {
    await using disk = await openBytes(
      qcow2Image({ header: { incompatibleFeatures: 3n, compatibleFeatures: 1n } }),
    );
    expect(infoOf(disk)).toMatchObject({
      dirty: true,
      specific: { data: { corrupt: true, 'lazy-refcounts': true } },
    });
    expect(infoOf(disk).warnings).toHaveLength(2);
  });

  test('an unknown incompatible bit is refused and named', async () => {
    const error = await diskErrorOf(() =>
      openBytes(qcow2Image({ header: { incompatibleFeatures: 1n << 20n } })),
    );
    expect(error.code).toBe('ERR_UNSUPPORTED');
    expect(error.message).toContain('bit 20');
  });
});

describe('d_init', () => {
  test('diskType is QCOW on a file, and QCOW-LVM2 on a logical volume', async () => {
    await using onFile = await openBytes(simple());
    expect(onFile.diskType).toBe('QCOW');
    const volume = borrow(new MemoryDisk(simple()), { diskType: 'LVM2' });
    await using onVolume = await createDisks({ formats: FORMATS }).open(volume);
    expect(onVolume.diskType).toBe('QCOW-LVM2');
  });

  test('blockSize is 512', async () => {
    await using disk = await openBytes(simple());
    expect(disk.blockSize).toBe(512);
  });

  test.for([undefined, 'r'] as const)('mountMode %s reads', async (mountMode) => {
    await using disk = await openBytes(simple(), { mountMode });
    expect(disk.writable).toBe(false);
    expect(await disk.read(0, CLUSTER)).toEqual(content);
  });

  test("mountMode 'rw' opens for writing, version 1 too", async () => {
    for (const image of [simple(), qcow1Image()]) {
      await using disk = await openBytes(image, { mountMode: 'rw' });
      expect(disk.writable).toBe(true);
    }
  });

  test.for(['w', '', 'RW'])('mountMode %j is unrecognized', async (mode) => {
    const error = await diskErrorOf(() => openBytes(simple(), { mountMode: mode as 'r' }));
    expect(error).toMatchObject({ code: 'ERR_ARGUMENT', message: `Unrecognized mountMode: ${mode}` });
  });

  test('the whole chain is open before it resolves', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'middle' }, middle: { backing: 'base' }, base });
    await using disk = await openPath(join(folder, 'top'));
    expect(disk.size()).toBe(65536);
    expect(await openFilesBelow(folder)).toHaveLength(3);
  });
});

describe('getBase', () => {
  test('it is the disk itself', async () => {
    await using disk = await openBytes(simple());
    expect(disk.getBase()).toBe(disk);
  });

  test('baseOnly answers it', async () => {
    await using disk = await openBytes(simple(), { baseOnly: true });
    expect(disk.diskType).toBe('QCOW');
  });
});

describe('d_read', () => {
  test('bytes come from any position, not by sectors', async () => {
    expect(await readBytes(simple(), 1001, 333)).toEqual(content.slice(1001, 1334));
  });

  test('a read over the end is clipped, and one at or past it has no bytes', async () => {
    await using disk = await openBytes(simple());
    expect(await disk.read(65530, 100)).toHaveLength(6);
    expect(await disk.read(65536, 1)).toHaveLength(0);
    expect(await disk.read(10 ** 12, 1)).toHaveLength(0);
  });

  test('option offset shifts into the disk below', async () => {
    const image = simple();
    const shifted = new Uint8Array(image.length + 12_345);
    shifted.set(image, 12_345);
    expect(await readBytes(shifted, 0, CLUSTER, { offset: 12_345 })).toEqual(content);
  });
});

describe('d_write', () => {
  test('a disk that is open for reading refuses a write with a typed error', async () => {
    await using disk = await openBytes(simple());
    expect((await diskErrorOf(() => disk.write(0, new Uint8Array(1)))).code).toBe('ERR_READ_ONLY');
    expect(await disk.read(0, CLUSTER)).toEqual(content);
  });
});

describe('d_size', () => {
  test.for([0, 1, 511, 513, 65_537])('%i bytes stay exact', async (size) => {
    await using disk = await openBytes(qcow2Image({ size }));
    expect(disk.size()).toBe(size);
  });
});

describe('d_close', () => {
  test('it closes the image and its base', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'base' }, base });
    const disk = await openPath(join(folder, 'top'));
    await disk.close();
    expect(await openFilesBelow(folder)).toEqual([]);
    expect((await diskErrorOf(() => disk.read(0, 1))).code).toBe('ERR_STATE');
  });
});

describe('version, cluster_sectors, total_sectors, backing_file_name', () => {
  test.for([
    [1, qcow1Image({ size: 100_000 })],
    [2, qcow2Image({ version: 2, size: 100_000 })],
    [3, qcow2Image({ version: 3, size: 100_000 })],
  ] as const)('they are in the info of version %i', async ([version, image]) => {
    await using disk = await openBytes(image);
    expect(infoOf(disk)).toMatchObject({
      version,
      clusterSectors: 8,
      totalSectors: 195,
      backingFileName: '',
    });
    expect(infoOf(disk).backing).toBeUndefined();
  });

  test('backing_file_name is the name as the image has it', async () => {
    await using disk = await openBytes(qcow2Image({ backing: '../x/base' }), { metadataOnly: true });
    expect(infoOf(disk).backingFileName).toBe('../x/base');
  });
});

describe('v1', () => {
  test('version 1 reads', async () => {
    const image = qcow1Image({ tables: { 0: { at: 512, entries: { 0: 8192n } } }, at: [[8192, content]] });
    expect(await readBytes(image, 0, CLUSTER)).toEqual(content);
  });
});

describe('AES / LUKS (crypt_method)', () => {
  test('AES without a key is an error, and never read as plain data', async () => {
    const image = qcow2Image({
      header: { cryptMethod: 1 },
      l2: { 0: standard(HOST) },
      at: [[HOST, content]],
    });
    expect((await diskErrorOf(() => openBytes(image))).code).toBe('ERR_WRONG_KEY');
  });

  test('LUKS without its header is corrupt, and never read as plain data', async () => {
    const image = qcow2Image({
      header: { cryptMethod: 2 },
      l2: { 0: standard(HOST) },
      at: [[HOST, content]],
    });
    expect((await diskErrorOf(() => openBytes(image, { services: keyed('any') }))).code).toBe('ERR_CORRUPT');
  });

  test('AES with its key reads', async () => {
    const cipher = createCipheriv('aes-128-cbc', 'sixteen bytes ok', new Uint8Array(16)).setAutoPadding(
      false,
    );
    const sector = cipher.update(content.subarray(0, 512));
    const image = qcow2Image({ header: { cryptMethod: 1 }, l2: { 0: standard(HOST) }, at: [[HOST, sector]] });
    const read = await readBytes(image, 0, 512, { services: keyed('sixteen bytes ok') });
    expect(read).toEqual(content.slice(0, 512));
  });
});

describe('known defects of the original', () => {
  test('a host offset larger than the disk is good', async () => {
    const image = qcow2Image({ size: 512, l2: { 0: standard(HOST) }, at: [[HOST, content]] });
    expect(await readBytes(image, 0, 512)).toEqual(content.slice(0, 512));
  });

  test('a base shorter than its overlay reads as zeroes from its end on', async () => {
    const folder = await imageFolder(temp, { top: { backing: 'base' }, base: content.slice(0, 700) });
    await using disk = await openPath(join(folder, 'top'));
    const want = new Uint8Array(65536);
    want.set(content.slice(0, 700));
    expect(await disk.read(0, 65536)).toEqual(want);
  });

  test('a compressed cluster at the end of the file is read as far as the file goes', async () => {
    const stored = deflateRawSync(content);
    const image = qcow2Image({ l2: { 0: compressed(HOST, stored.length) }, at: [[HOST, stored]] });
    expect(await readBytes(image.subarray(0, HOST + stored.length), 0, CLUSTER)).toEqual(content);
  });

  test('l1_size and cluster_bits are not believed without limits', async () => {
    const bits = await diskErrorOf(() => openBytes(qcow2Image({ header: { clusterBits: 40 } })));
    expect(bits.code).toBe('ERR_CORRUPT');
    const l1 = await diskErrorOf(() => openBytes(qcow2Image({ header: { l1Size: 0x7fff_ffff } })));
    expect(l1.code).toBe('ERR_LIMIT');
  });
});
