import { link, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { EACH_CODEC } from './support/codecs.ts';
import { busyMilliseconds } from './support/cost.ts';
import { compressed, FIRST_FREE, qcow2Image } from './support/image-builder.ts';
import { imageFolder, openPath } from './support/image-folder.ts';
import { openBytes } from './support/open.ts';
import { tempFolder } from './support/temp-folder.ts';

const MiB = 2 ** 20;
const CLUSTER = 64 * 1024;
/** The entries of one L2 table. */
const CLUSTERS = CLUSTER / 8;

/** A disk of 512 MiB whose clusters all are the same compressed stream, so the file has about 400 KiB. */
function bomb(codec: 'zlib' | 'zstd'): Uint8Array {
  const content = new Uint8Array(CLUSTER).fill(7);
  const stored = codec === 'zlib' ? deflateRawSync(content) : zstdCompressSync(content);
  const at = FIRST_FREE * CLUSTER;
  return qcow2Image({
    clusterBits: 16,
    size: CLUSTERS * CLUSTER,
    l2: Object.fromEntries(
      Array.from({ length: CLUSTERS }, (_, index) => [index, compressed(at, stored.length, 16)] as const),
    ),
    at: [[at, stored]],
    ...(codec === 'zlib' ? {} : { header: { incompatibleFeatures: 8n, compressionType: 1 } }),
  });
}

/** Reads one MiB at a time until the disk ends or fails. Returns the number of bytes read. */
async function readOn(
  disk: Awaited<ReturnType<typeof openBytes>>,
): Promise<{ bytes: number; error?: unknown }> {
  let bytes = 0;
  try {
    while (bytes < disk.size()) bytes += (await disk.read(bytes, MiB)).length;
  } catch (error) {
    return { bytes, error };
  }
  return { bytes };
}

describe.each(EACH_CODEC)('a compressed bomb, %s', (_, codecs) => {
  test.each(['zlib', 'zstd'] as const)('of %s stops at maxInflatedBytes', async (codec) => {
    await using disk = await openBytes(bomb(codec), {
      services: { ...codecs, limits: { maxInflatedBytes: 10 * MiB } },
    });
    const { bytes, error } = await readOn(disk);
    expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow2' });
    expect(bytes).toBe(10 * MiB);
  });

  test.each(['zlib', 'zstd'] as const)('of %s stops at maxInflationRatio', async (codec) => {
    const image = bomb(codec);
    await using disk = await openBytes(image, { services: { ...codecs, limits: { maxInflationRatio: 20 } } });
    const { bytes, error } = await readOn(disk);
    expect(error).toMatchObject({ code: 'ERR_LIMIT' });
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(20 * image.length);
  });
});

describe('the budget of decompression', () => {
  test('is each disk’s own', async () => {
    const services = { limits: { maxInflatedBytes: MiB } };
    for (let count = 0; count < 3; count++) {
      await using disk = await openBytes(bomb('zlib'), { services });
      expect(await disk.read(0, MiB)).toHaveLength(MiB);
      expect((await diskErrorOf(() => disk.read(MiB, MiB))).code).toBe('ERR_LIMIT');
    }
  });

  test('is not spent by small reads of one cluster, which is decompressed once', async () => {
    await using disk = await openBytes(bomb('zlib'), { services: { limits: { maxInflatedBytes: CLUSTER } } });
    for (let offset = 0; offset < CLUSTER; offset += 512) {
      expect(await disk.read(offset, 512)).toEqual(new Uint8Array(512).fill(7));
    }
  });

  test('is enough, and ends nothing, when it is as large as the disk', async () => {
    const small = { limits: { maxInflatedBytes: 4 * MiB } };
    await using disk = await openBytes(bomb('zlib'), { services: small });
    expect(await disk.read(0, 4 * MiB)).toEqual(new Uint8Array(4 * MiB).fill(7));
  });
});

describe('maxVirtualSize', () => {
  test('a larger disk is refused with both numbers, and one of exactly that size opens', async () => {
    const image = qcow2Image({ size: 65_536 });
    const error = await diskErrorOf(() =>
      openBytes(image, { services: { limits: { maxVirtualSize: 65_535 } } }),
    );
    expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow2' });
    expect(error.reason).toContain('65536');
    expect(error.reason).toContain('65535');
    await (await openBytes(image, { services: { limits: { maxVirtualSize: 65_536 } } })).close();
  });
});

describe('a cycle ends within 100 ms', () => {
  const temp = tempFolder();
  const expectLoop = async (path: string): Promise<void> => {
    await diskErrorOf(() => openPath(path)); // whatever is loaded on first use is loaded now
    const start = busyMilliseconds();
    expect((await diskErrorOf(() => openPath(path))).code).toBe('ERR_BACKING_LOOP');
    expect(busyMilliseconds() - start).toBeLessThan(100);
  };

  test('of an image that names itself', async () => {
    await expectLoop(join(await imageFolder(temp, { a: { backing: 'a' } }), 'a'));
  });

  test('of two images', async () => {
    await expectLoop(join(await imageFolder(temp, { a: { backing: 'b' }, b: { backing: 'a' } }), 'a'));
  });

  test('of three images that the first is not part of', async () => {
    const folder = await imageFolder(temp, {
      top: { backing: 'a' },
      a: { backing: 'b' },
      b: { backing: 'a' },
    });
    await expectLoop(join(folder, 'top'));
  });

  test('through a symbolic link', async () => {
    const folder = await imageFolder(temp, { a: { backing: 'link' } });
    await symlink('a', join(folder, 'link'));
    await expectLoop(join(folder, 'a'));
  });

  test('through a hard link', async () => {
    const folder = await imageFolder(temp, { a: { backing: 'other' } });
    await link(join(folder, 'a'), join(folder, 'other'));
    await expectLoop(join(folder, 'a'));
  });

  test('through a detour of the name', async () => {
    await expectLoop(join(await imageFolder(temp, { 'x/a': { backing: '../x/./a' } }), 'x/a'));
  });
});
