import { diskErrorOf } from '@diskstack/core/testing';
import type { Volume } from '@diskstack/core/volumes';
import { describe, expect, test } from 'vitest';
import { findSets } from '../support/fixtures.ts';
import { groupText, linearText, pvWith, volumeText } from '../support/pv-builder.ts';

/** The volumes of a group with `good`, a linear one, and these. */
async function listed(
  volumes: string,
  recipe: Parameters<typeof pvWith>[1] = {},
): Promise<ReadonlyMap<string, Volume>> {
  const disk = await pvWith(groupText(linearText('good', 'pv0', 0) + volumes, { pvs: 2 }), recipe);
  const [set] = await findSets([disk]);
  return new Map(set?.volumes.map((volume) => [volume.name ?? '', volume]));
}

const stripe = (name: string, area: string): string =>
  volumeText(name, [[1, `type = "striped" stripe_count = 1 stripes = [${area}]`]]);

describe('damage to one volume does not affect the others', () => {
  test.for<readonly [string, string, string, string]>([
    ['a missing physical volume', stripe('bad', '"pv1", 0'), 'error', '"pv1"'],
    ['a name that does not exist', stripe('bad', '"nowhere", 0'), 'error', 'no volume "nowhere"'],
    ['past the extents of its disk', stripe('bad', '"pv0", 8'), 'error', 'which has 8 extents'],
    [
      'an unknown type',
      volumeText('bad', [[1, 'type = "holographic"']]),
      'unsupported',
      '"holographic" is not known',
    ],
    ['VDO', volumeText('bad', [[1, 'type = "vdo" vdo_pool = "good"']]), 'unsupported', 'VDO'],
    ['error', volumeText('bad', [[1, 'type = "error"']]), 'error', 'given up'],
    ['itself', stripe('bad', '"bad", 0'), 'error', '"bad" contains itself'],
    ['a ring', stripe('bad', '"ring", 0') + stripe('ring', '"bad", 0'), 'error', 'contains itself'],
    ['no extents', volumeText('bad', []), 'error', 'has no extents'],
    [
      'a count that is a string',
      'bad { id="x" status=["VISIBLE"] segment1 { start_extent="0" extent_count=1 type="striped" } }',
      'error',
      'start_extent of segment1 must be a whole number; it is "0"',
    ],
    [
      'a gap between segments',
      'bad { id="x" status=["VISIBLE"] segment1 { start_extent=1 extent_count=1 type="zero" } }',
      'error',
      'starts at extent 1',
    ],
    [
      'sizes past 2^53',
      volumeText('bad', [[9_007_199_254_740_991, 'type = "zero"']]),
      'error',
      'extents of 65536 bytes',
    ],
    [
      'a stripe size of 0',
      volumeText('bad', [
        [2, 'type = "striped" stripe_count = 2 stripe_size = 0 stripes = ["pv0", 1, "pv0", 2]'],
      ]),
      'error',
      'whole chunks of 0',
    ],
    [
      'a stripe count that is wrong',
      volumeText('bad', [[1, 'type = "striped" stripe_count = 9 stripes = ["pv0", 1]']]),
      'error',
      'stripe_count is 9',
    ],
    [
      'a pool of another type',
      volumeText('bad', [[1, 'type = "thin" thin_pool = "good" device_id = 1']]),
      'error',
      'not thin-pool',
    ],
    [
      'a snapshot store of zeroes',
      volumeText('bad', [[1, 'type = "snapshot" origin = "good" cow_store = "store"']]) +
        stripe('store', '"pv0", 3'),
      'error',
      'the magic 0x0',
    ],
    [
      'a RAID set of nothing',
      volumeText('bad', [[1, 'type = "raid5" device_count = 3 stripe_size = 8 raids = []']]),
      'error',
      'the RAID set has 0 images',
    ],
    [
      'an empty RAID set of three',
      volumeText('bad', [[1, 'type = "raid5" stripe_size = 8 raids = ["x", "y", "z"]']]),
      'error',
      'no volume "x"',
    ],
  ])('%s', async ([, text, status, reason]) => {
    const volumes = await listed(text);
    const bad = volumes.get('bad') ?? volumes.get('store');
    expect(bad).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect((await diskErrorOf(() => bad?.open())).reason).toBe(bad?.reason);
    const good = volumes.get('good');
    expect(good?.status).toBe('ok');
    await using disk = await (good as Volume).open();
    expect(await disk.read(0, 10)).toEqual(new Uint8Array(10));
  });

  test('a disk that is shorter than the metadata of the group requires', async () => {
    const volumes = await listed(linearText('far', 'pv0', 7), { size: 8 * 65_536 });
    expect(volumes.get('good')?.status).toBe('ok');
    expect(volumes.get('far')).toMatchObject({
      status: 'error',
      reason: expect.stringContaining('ends at 524288'),
    });
  });
});

test('a thousand volumes inside of each other end with an error', async () => {
  let text = '';
  for (let index = 0; index < 500; index++) text += stripe(`v${index}`, `"v${index + 1}", 0`);
  const disk = await pvWith(groupText(text), { areas: [{ at: 4096, size: 900_000, text: groupText(text) }] });
  const [set] = await findSets([disk]);
  expect(set?.volumes[0]).toMatchObject({
    status: 'error',
    reason: expect.stringContaining('levels below'),
  });
});

test('volumes that name each other many times over are made once each', async () => {
  let text = linearText('v20', 'pv0', 0, 2);
  for (let index = 0; index < 20; index++) {
    const areas = `"v${index + 1}", 0, "v${index + 1}", 1`;
    text += volumeText(`v${index}`, [
      [2, `type = "striped" stripe_count = 2 stripe_size = 8 stripes = [${areas}]`],
    ]);
  }
  const [set] = await findSets([await pvWith(groupText(text))]);
  const top = set?.volumes.find(({ name }) => name === 'v0') as Volume;
  await using disk = await top.open();
  expect((await disk.read(0, disk.size())).length).toBe(131_072);
});
