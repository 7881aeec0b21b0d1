import { diskErrorOf } from '@diskstack/core/testing';
import type { Volume } from '@diskstack/core/volumes';
import { describe, expect, test } from 'vitest';
import { findSets } from '../support/fixtures.ts';
import { groupText, linearText, pvWith, volumeText } from '../support/pv-builder.ts';

// Snapshots, write caches and mirrors by hand: extents of 64 KiB from byte 64 KiB on.
const EXTENT = 65_536;
const CHUNK = 4096;

async function volumesOf(
  text: string,
  fill: (bytes: Uint8Array, view: DataView) => void,
  pvs = 1,
): Promise<ReadonlyMap<string, Volume>> {
  const damage = (bytes: Uint8Array): void => fill(bytes, new DataView(bytes.buffer));
  const [set] = await findSets([await pvWith(groupText(text, { pvs }), { damage })]);
  return new Map(set?.volumes.map((volume) => [volume.name ?? '', volume]));
}

/** The first byte of each of the 4 KiB blocks of a volume. */
async function marks(volume: Volume | undefined): Promise<readonly number[]> {
  await using disk = await (volume as Volume).open();
  const bytes = await disk.read(0, disk.size());
  return Array.from({ length: bytes.length / CHUNK }, (_, block) => bytes[block * CHUNK] ?? 0);
}

/** Marks the blocks of an extent with numbers from `first` on. */
function mark(bytes: Uint8Array, extent: number, first: number, extents = 1): void {
  for (let block = 0; block < 16 * extents; block++)
    bytes[EXTENT * (1 + extent) + block * CHUNK] = first + block;
}

describe('classic snapshots', () => {
  const SNAPSHOT = (fields: string): string =>
    volumeText('snapshot0', [[1, `type = "snapshot" chunk_size = 8 origin = "origin" ${fields}`]]);
  const hidden = (name: string, extent: number, extents: number): string =>
    volumeText(
      name,
      [[extents, `type = "striped" stripe_count = 1 stripes = ["pv0", ${extent}]`]],
      '"READ", "WRITE"',
    );

  /** A store in extents 1 and 2: chunk 1 names chunks 2 and 3 of the store. */
  const store = (bytes: Uint8Array, view: DataView): void => {
    mark(bytes, 0, 1);
    mark(bytes, 1, 101, 2);
    const at = EXTENT * 2;
    view.setUint32(at, 0x70416e53, true);
    view.setUint32(at + 4, 1, true);
    view.setUint32(at + 8, 1, true);
    view.setUint32(at + 12, 8, true);
    for (const [index, value] of [5, 2, 9, 3, 0, 0].entries())
      view.setBigUint64(at + CHUNK + index * 8, BigInt(value), true);
  };
  const origin = linearText('origin', 'pv0', 0);
  const want = Array.from({ length: 16 }, (_, block) => (block === 5 ? 103 : block === 9 ? 104 : block + 1));

  test('a snapshot is shown under the name of its store, and reads as the origin was', async () => {
    const volumes = await volumesOf(origin + hidden('snap', 1, 2) + SNAPSHOT('cow_store = "snap"'), store);
    expect([...volumes.keys()]).toEqual(['origin', 'snap']);
    expect(volumes.get('snap')).toMatchObject({ type: 'snapshot', size: EXTENT, status: 'ok' });
    expect(await marks(volumes.get('snap'))).toEqual(want);
    expect((await marks(volumes.get('origin')))[5]).toBe(6);
  });

  test('while it is merged, the origin reads as the snapshot, which is not shown', async () => {
    const volumes = await volumesOf(
      origin + hidden('snap', 1, 2) + SNAPSHOT('merging_store = "snap"'),
      store,
    );
    expect([...volumes.keys()]).toEqual(['origin']);
    expect(await marks(volumes.get('origin'))).toEqual(want);
  });

  test.for<readonly [string, number, number, string]>([
    ['invalid', 4, 0, 'the snapshot is invalid'],
    ['of another version', 8, 2, 'has version 2'],
    ['with chunks of 3 sectors', 12, 3, 'chunks of 3 sectors'],
  ])('one that is %s is reported', async ([, offset, value, reason]) => {
    const volumes = await volumesOf(
      origin + hidden('snap', 1, 2) + SNAPSHOT('cow_store = "snap"'),
      (bytes, view) => {
        store(bytes, view);
        view.setUint32(EXTENT * 2 + offset, value, true);
      },
    );
    expect(volumes.get('snap')?.reason).toContain(reason);
  });

  test('an exception past the end of the store fails when the snapshot is opened', async () => {
    const volumes = await volumesOf(
      origin + hidden('snap', 1, 2) + SNAPSHOT('cow_store = "snap"'),
      (bytes, view) => {
        store(bytes, view);
        view.setBigUint64(EXTENT * 2 + CHUNK + 8, 32n, true);
      },
    );
    const error = await diskErrorOf(() => volumes.get('snap')?.open());
    expect(error.reason).toContain('in chunk 32 of the store, which has 32');
  });
});

describe('write caches', () => {
  const text =
    linearText('slow', 'pv0', 0) +
    linearText('fast', 'pv0', 1) +
    volumeText('lv', [
      [1, 'type = "writecache" origin = "slow" writecache = "fast" writecache_block_size = 4096'],
    ]);

  /** Entries of sector and sequence number, and what is committed. */
  const cache =
    (entries: readonly (readonly [bigint, bigint])[], seqCount: number) =>
    (bytes: Uint8Array, view: DataView): void => {
      mark(bytes, 0, 1);
      mark(bytes, 1, 101);
      const at = EXTENT * 2;
      for (const [offset, value] of [0x23489321, 1, CHUNK].entries())
        view.setUint32(at + offset * 4, value, true);
      view.setBigUint64(at + 16, BigInt(entries.length), true);
      view.setBigUint64(at + 24, BigInt(seqCount), true);
      for (const [index, [sector, seq]] of entries.entries()) {
        view.setBigUint64(at + 64 + index * 16, sector, true);
        view.setBigUint64(at + 72 + index * 16, seq, true);
      }
    };
  const NONE = 2n ** 64n - 1n;

  test('committed entries, the newest of each block; others do not count', async () => {
    const entries = [
      [24n, 3n],
      [24n, 4n],
      [40n, 7n],
      [NONE, NONE],
      [24n, 2n],
    ] as const;
    const volumes = await volumesOf(text, cache(entries, 7));
    const found = await marks(volumes.get('lv'));
    // Block 3 from entry 1, which is in block 2 of the cache; entry 2 is not committed.
    expect(found).toEqual(Array.from({ length: 16 }, (_, block) => (block === 3 ? 103 : block + 1)));
  });

  test('an entry between two blocks, and more blocks than the volume has', async () => {
    const odd = await volumesOf(text, cache([[25n, 1n]], 7));
    expect((await diskErrorOf(() => odd.get('lv')?.open())).reason).toContain('is for sector 25');
    const long = await volumesOf(
      text,
      cache(
        Array.from({ length: 16 }, () => [8n, 1n] as const),
        7,
      ),
    );
    expect(long.get('lv')?.reason).toContain('the writecache has 16 blocks');
  });
});

describe('mirrors whose first leg is missing', () => {
  const mirror = (more: string, status?: string): string =>
    volumeText(
      'lv',
      [[1, `type = "mirror" mirror_count = 2 region_size = 16 ${more} mirrors = ["pv1", 0, "pv0", 0]`]],
      status,
    );
  const log = linearText('log', 'pv0', 1);

  test.for(['"READ", "VISIBLE"', '"READ", "VISIBLE", "NOTSYNCED"'])(
    'without a log nothing proves that another leg is in sync, whatever the volume is called: %s',
    async (status) => {
      const volumes = await volumesOf(mirror('', status), (bytes) => mark(bytes, 0, 1), 2);
      expect(volumes.get('lv')).toMatchObject({
        status: 'error',
        reason: expect.stringContaining('without a log on disk'),
      });
      expect((await diskErrorOf(() => volumes.get('lv')?.open())).code).toBe('ERR_NOT_FOUND');
    },
  );

  test('a move that is under way has its bytes on the source alone', async () => {
    const move = (first: string, second: string): string =>
      volumeText('lv', [[1, 'type = "striped" stripe_count = 1 stripes = ["pvmove0", 0]']]) +
      volumeText(
        'pvmove0',
        [[1, `type = "mirror" mirror_count = 2 extents_moved = 0 mirrors = ["${first}", 0, "${second}", 0]`]],
        '"READ", "WRITE", "PVMOVE", "LOCKED"',
      );
    const fill = (bytes: Uint8Array): void => mark(bytes, 0, 1);
    expect((await volumesOf(move('pv1', 'pv0'), fill, 2)).get('lv')?.status).toBe('error');
    const source = (await volumesOf(move('pv0', 'pv1'), fill, 2)).get('lv');
    expect(source?.facts).toMatchObject({
      degraded: true,
      warnings: [expect.stringContaining('1 of 2 legs')],
    });
    expect((await marks(source))[15]).toBe(16);
  });

  test('with a log the regions that it calls clean are read', async () => {
    const volumes = await volumesOf(
      mirror('mirror_log = "log"') + log,
      (bytes, view) => {
        mark(bytes, 0, 1);
        view.setUint32(EXTENT * 2, 0x4d695272, true);
        view.setUint32(EXTENT * 2 + 4, 2, true);
        view.setBigUint64(EXTENT * 2 + 8, 8n, true);
        bytes[EXTENT * 2 + 1024] = 0b0000_0111;
      },
      2,
    );
    expect(volumes.get('lv')?.facts).toMatchObject({ degraded: true });
    await using disk = await (volumes.get('lv') as Volume).open();
    expect((await disk.read(5 * CHUNK, 1))[0]).toBe(6);
    expect((await diskErrorOf(() => disk.read(6 * CHUNK, 1))).reason).toContain(
      'region 3 of the mirror is not in sync',
    );
  });
});

test('regions that a mirror log does not count are out of sync, whatever its bits are', async () => {
  const fields = 'type = "mirror" region_size = 16 mirror_log = "log" mirrors = ["pv1", 0, "pv0", 0]';
  const volumes = await volumesOf(
    volumeText('lv', [[1, fields]]) + linearText('log', 'pv0', 1),
    (bytes, view) => {
      mark(bytes, 0, 1);
      view.setUint32(EXTENT * 2, 0x4d695272, true);
      view.setUint32(EXTENT * 2 + 4, 2, true);
      view.setBigUint64(EXTENT * 2 + 8, 2n, true);
      bytes[EXTENT * 2 + 1024] = 0xff;
    },
    2,
  );
  await using disk = await (volumes.get('lv') as Volume).open();
  expect((await disk.read(3 * CHUNK, 1))[0]).toBe(4);
  expect((await diskErrorOf(() => disk.read(4 * CHUNK, 1))).reason).toContain('region 2');
});

test('a RAID set keeps its space for reshapes to itself', async () => {
  const images = [0, 1, 2].map((image) => linearText(`image${image}`, 'pv0', 2 * image, 2)).join('');
  const fields =
    'type = "raid5" device_count = 3 stripe_size = 8 reshape_count = 1 raids = ["image0", "image1", "image2"]';
  const volumes = await volumesOf(images + volumeText('lv', [[4, fields]]), (bytes) => mark(bytes, 0, 1, 6));
  expect(volumes.get('lv')).toMatchObject({ status: 'ok', size: 2 * EXTENT });
  // Left symmetric: parity on image 2, 1, 0 …; data goes on after it.
  expect((await marks(volumes.get('lv'))).slice(0, 6)).toEqual([1, 33, 66, 2, 35, 67]);
});
