import type { DiskModule } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import type { Volume } from '@diskstack/core/volumes';
import { describe, expect, test } from 'vitest';
import { findSets } from '../support/fixtures.ts';
import { groupText, linearText, pvWith, UUIDS, volumeText } from '../support/pv-builder.ts';

// What proves that the bytes of an image are current. Each image is on a physical volume of its own: the superblock in
// extent 0, the data from extent 1 on. The data of image N is filled with 0x10 + N.
const EXTENT = 65_536;
const NEVER = 0xffff_ffff_ffff_ffffn;

interface Superblock {
  readonly events?: bigint;
  readonly failed?: bigint;
  /** Sectors. */
  readonly recovered?: bigint;
  readonly synced?: bigint;
  readonly position?: number;
  /** The write-intent bitmap: its events, and its bits for regions of 4 KiB. */
  readonly bitmap?: { readonly events: bigint; readonly bits: number; readonly state?: number };
}

interface SetRecipe {
  /** One for each image; `undefined` for none. */
  readonly superblocks: readonly (Superblock | undefined)[];
  /** Physical volumes that are missing. */
  readonly without?: readonly number[];
  /** Images whose superblock is on a missing physical volume. */
  readonly strayMeta?: readonly number[];
  readonly fields: string;
  readonly extents: number;
  readonly status?: string;
  readonly imageStatus?: Readonly<Record<number, string>>;
}

async function setOf({
  superblocks,
  without = [],
  strayMeta = [],
  fields,
  extents,
  status,
  imageStatus = {},
}: SetRecipe): Promise<Volume> {
  const images = superblocks.map((_, image) => {
    const meta = strayMeta.includes(image) ? 'pv3' : `pv${image}`;
    const data = volumeText(
      `lv_rimage_${image}`,
      [[extents, `type = "striped" stripe_count = 1 stripes = ["pv${image}", 1]`]],
      `"READ", "WRITE"${imageStatus[image] ?? ''}`,
    );
    return linearText(`lv_rmeta_${image}`, meta, 0) + data;
  });
  const raids = superblocks.map((_, image) => `"lv_rmeta_${image}", "lv_rimage_${image}"`).join(', ');
  const copies = fields.includes('raid5') ? superblocks.length - 1 : 1;
  const text = groupText(
    images.join('') +
      volumeText(
        'lv',
        [[extents * copies, `${fields} device_count = ${superblocks.length} raids = [${raids}]`]],
        status,
      ),
    { pvs: 4 },
  );
  const disks: DiskModule[] = [];
  for (const [image, superblock] of superblocks.entries()) {
    if (without.includes(image)) continue;
    const damage = (bytes: Uint8Array): void => {
      bytes.fill(0x10 + image, 2 * EXTENT, (2 + extents) * EXTENT);
      if (superblock !== undefined) putSuperblock(new DataView(bytes.buffer), image, superblock);
    };
    disks.push(await pvWith(text, { uuid: UUIDS[image] ?? '', damage }));
  }
  const [set] = await findSets(disks);
  return set?.volumes.find(({ name }) => name === 'lv') as Volume;
}

function putSuperblock(view: DataView, image: number, superblock: Superblock): void {
  const { events = 10n, failed = 0n, recovered = NEVER, synced = NEVER, position = image } = superblock;
  view.setUint32(EXTENT, 0x64526d44, true);
  view.setUint32(EXTENT + 12, position, true);
  for (const [at, value] of [
    [16, events],
    [24, failed],
    [32, recovered],
    [40, synced],
  ] as const)
    view.setBigUint64(EXTENT + at, value, true);
  const { bitmap } = superblock;
  if (bitmap === undefined) return;
  const at = EXTENT + 4096;
  view.setUint32(at, 0x6d746962, true);
  view.setBigUint64(at + 24, bitmap.events, true);
  view.setBigUint64(at + 40, BigInt(EXTENT / 512), true);
  view.setUint32(at + 48, bitmap.state ?? 0, true);
  view.setUint32(at + 52, 4096, true);
  view.setUint16(at + 256, bitmap.bits, true);
}

/** The image that the byte is read from, or the code of the error. */
async function sourceAt(volume: Volume, at: number): Promise<number | string> {
  try {
    await using disk = await volume.open();
    return ((await disk.read(at, 1))[0] ?? 0) - 0x10;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const raid1 = { fields: 'type = "raid1"', extents: 1 } as const;

describe('RAID 1', () => {
  test('whole: the first image, and nothing to report', async () => {
    const volume = await setOf({ ...raid1, superblocks: [{}, {}] });
    expect(await sourceAt(volume, 0)).toBe(0);
    expect(volume.facts).not.toHaveProperty('degraded');
    expect(volume.facts).not.toHaveProperty('warnings');
  });

  test.for<readonly [string, Partial<SetRecipe>, number, string]>([
    ['missing', { without: [0] }, 1, 'image 0 is missing'],
    [
      'with a superblock that cannot be read',
      { strayMeta: [0] },
      1,
      'may be out of date, because its superblock cannot be read',
    ],
    ['without a superblock, beside one that has one', { superblocks: [undefined, {}] }, 1, 'not been built'],
    [
      'older by two events',
      { superblocks: [{ events: 8n }, { events: 10n }] },
      1,
      'out of date: it has event 8 of 10',
    ],
    [
      'that has failed by the newest superblock',
      { superblocks: [{ events: 9n }, { events: 10n, failed: 1n }] },
      1,
      'image 0 has failed',
    ],
    ['to be rebuilt', { imageStatus: { 0: ', "REBUILD"' } }, 1, 'must be rebuilt'],
  ])(
    'an image that is %s: the other one is read, and the set is degraded',
    async ([, recipe, image, why]) => {
      const volume = await setOf({ ...raid1, superblocks: [{}, {}], ...recipe });
      expect(await sourceAt(volume, 0)).toBe(image);
      expect(volume.facts).toMatchObject({ degraded: true, warnings: [expect.stringContaining(why)] });
    },
  );

  test('an image that is older by one event is what a crash leaves', async () => {
    const volume = await setOf({ ...raid1, superblocks: [{ events: 9n }, { events: 10n }] });
    expect(await sourceAt(volume, 0)).toBe(0);
    expect(volume.facts).not.toHaveProperty('degraded');
  });

  test.for<readonly [string, Partial<SetRecipe>, readonly (number | string)[]]>([
    ['the first image, while all are there', {}, [0, 0]],
    ['the other one as far as it is in sync, without the first', { without: [0] }, [1, 'ERR_NOT_FOUND']],
    [
      'the other one, where the set itself has given the first up',
      {
        superblocks: [
          { events: 9n, synced: 8n },
          { events: 10n, synced: 8n, failed: 1n },
        ],
      },
      [1, 1],
    ],
  ])('in the middle of a synchronisation: %s', async ([, recipe, want]) => {
    const volume = await setOf({ ...raid1, superblocks: [{ synced: 8n }, { synced: 8n }], ...recipe });
    expect([await sourceAt(volume, 4095), await sourceAt(volume, 4096)]).toEqual(want);
  });

  test('a set that has never run, or never been synchronised, is its first image', async () => {
    for (const recipe of [
      { superblocks: [undefined, undefined] },
      { superblocks: [{}, {}], status: '"READ", "WRITE", "VISIBLE", "NOTSYNCED"' },
    ]) {
      expect(await sourceAt(await setOf({ ...raid1, ...recipe }), 0)).toBe(0);
      const alone = await setOf({ ...raid1, ...recipe, without: [0] });
      const error = await diskErrorOf(async () => (await alone.open()).read(0, 1));
      expect(error.code).toBe('ERR_NOT_FOUND');
    }
  });

  test('no readable superblock: nothing proves which image is current', async () => {
    const volume = await setOf({ ...raid1, superblocks: [{}, {}], strayMeta: [0, 1] });
    expect(volume).toMatchObject({
      status: 'error',
      reason: expect.stringContaining('which images are current'),
    });
  });

  test('an image that writes reach late is the last one to be read', async () => {
    const volume = await setOf({ ...raid1, superblocks: [{}, {}], imageStatus: { 0: ', "WRITEMOSTLY"' } });
    expect(await sourceAt(volume, 0)).toBe(1);
  });
});

describe('RAID 10', () => {
  const recipe = {
    fields: 'type = "raid10" stripe_size = 8',
    extents: 1,
    superblocks: [{ synced: 8n }, { synced: 8n }],
  };

  test.for<readonly [readonly number[], readonly (number | string)[]]>([
    [[], [0, 0]],
    [[1], [0, 0]],
    [[0], [1, 'ERR_NOT_FOUND']],
  ])('past what is in sync, the first copy alone: without %j', async ([without, want]) => {
    const volume = await setOf({ ...recipe, without });
    expect([await sourceAt(volume, 4095), await sourceAt(volume, 4096)]).toEqual(want);
    expect(volume.facts?.degraded ?? false).toBe(without.length > 0);
  });
});

describe('parity', () => {
  const recipe = { fields: 'type = "raid5" stripe_size = 8', extents: 1 } as const;

  test.for<readonly [string, Partial<SetRecipe>]>([
    ['in the middle of a synchronisation', { superblocks: [{ synced: 0n }, { synced: 0n }, { synced: 0n }] }],
    ['that was never made', { status: '"READ", "WRITE", "VISIBLE", "NOTSYNCED"' }],
    ['of a set that has never run', { superblocks: [undefined, undefined, undefined] }],
  ])('%s replaces nothing', async ([, more]) => {
    const whole = await setOf({ ...recipe, superblocks: [{}, {}, {}], ...more });
    expect(await sourceAt(whole, 0)).toBe(0);
    const lacking = await setOf({ ...recipe, superblocks: [{}, {}, {}], ...more, without: [0] });
    expect(await sourceAt(lacking, 0)).toBe('ERR_NOT_FOUND');
  });

  test('that is in sync replaces an image, and the set is degraded', async () => {
    const volume = await setOf({ ...recipe, superblocks: [{}, {}, {}], without: [0] });
    expect(await sourceAt(volume, 0)).toBe((0x11 ^ 0x12) - 0x10);
    expect(volume.facts).toMatchObject({ degraded: true });
  });

  const crashed = { bitmap: { events: 10n, bits: 0b10 } };
  const computed = (0x11 ^ 0x12) - 0x10;
  const gone = 'ERR_NOT_FOUND';

  test.for<readonly [string, Superblock, readonly (number | string)[]]>([
    ['where nothing was under way', crashed, [computed, gone, computed]],
    ['nowhere: the bitmap is older', { bitmap: { events: 9n, bits: 0 } }, [gone, gone, gone]],
    ['nowhere: the bitmap is stale', { bitmap: { events: 10n, bits: 0, state: 2 } }, [gone, gone, gone]],
    ['everywhere: it ran without the image', { ...crashed, failed: 1n }, [computed, computed, computed]],
  ])(
    'of a set that was stopped in the middle of writes replaces an image %s',
    async ([, superblock, want]) => {
      const volume = await setOf({ ...recipe, superblocks: [{}, superblock, superblock], without: [0] });
      // Image 0 has the first data of row 0, the second of row 1, the first of row 3; a row is a region of the bitmap.
      expect(await Promise.all([0, 3, 6].map((chunk) => sourceAt(volume, chunk * 4096)))).toEqual(want);
    },
  );
});
