import { describeDiskModule, diskErrorOf } from '@diskstack/core/testing';
import type { Volume } from '@diskstack/core/volumes';
import { expect, test } from 'vitest';
import { findSets } from '../support/fixtures.ts';
import { groupText, linearText, pvWith, volumeText } from '../support/pv-builder.ts';

const EXTENT = 65_536;
const striped = volumeText('striped', [
  [4, 'type = "striped" stripe_count = 2 stripe_size = 8 stripes = ["pv0", 0, "pv0", 4]'],
  [1, 'type = "striped" stripe_count = 1 stripes = ["pv0", 7]'],
]);

async function volume(name: string, text: string, writable = true): Promise<Volume> {
  const [set] = await findSets([await pvWith(groupText(text), { writable })]);
  return set?.volumes.find((one) => one.name === name) as Volume;
}

const expected = new Uint8Array(5 * EXTENT);
describeDiskModule('lvm2: striped, then linear', {
  open: async () => await (await volume('striped', striped)).open(),
  expected,
  writable: true,
  skip: { beforeInit: 'a volume is opened initialised' },
});

test('the bytes arrive where the stripes are', async () => {
  const pv = await pvWith(groupText(striped), { writable: true });
  const [set] = await findSets([pv]);
  const [striping] = set?.volumes ?? [];
  await using disk = await (striping as Volume).open();
  const data = Uint8Array.from({ length: 4 * EXTENT }, (_, index) => 1 + Math.floor(index / 4096));
  await disk.write(0, data);
  for (let chunk = 0; chunk < 64; chunk++) {
    const at = EXTENT + (chunk % 2) * 4 * EXTENT + Math.floor(chunk / 2) * 4096;
    expect(pv.bytes[at]).toBe(1 + chunk);
    expect(pv.bytes[at + 4095]).toBe(1 + chunk);
  }
});

test.for([
  ['zero', volumeText('lv', [[1, 'type = "zero"']]), 'writing volumes of the type zero is not supported'],
  ['mirror', volumeText('lv', [[1, 'type = "mirror" mirrors = ["pv0", 0, "pv0", 1]']]), 'of the type mirror'],
  [
    'marks the volume as read-only',
    volumeText('lv', [[1, 'type = "striped" stripe_count = 1 stripes = ["pv0", 0]']], '"READ", "VISIBLE"'),
    'marks the volume as read-only',
  ],
  [
    'an origin',
    linearText('lv', 'pv0', 0) +
      linearText('store', 'pv0', 1) +
      volumeText('snapshot0', [[1, 'type = "snapshot" origin = "lv" cow_store = "store"']]),
    'has snapshots',
  ],
] as const)('%s refuses writes by name', async ([, text, reason]) => {
  await using disk = await (await volume('lv', text)).open();
  expect(disk.writable).toBe(false);
  const error = await diskErrorOf(() => disk.write(0, new Uint8Array(1)));
  expect(error.code).toBe('ERR_READ_ONLY');
  expect(error.reason).toContain(reason);
});

test('a volume on a disk that cannot be written', async () => {
  await using disk = await (await volume('striped', striped, false)).open();
  expect(disk.writable).toBe(false);
  expect((await diskErrorOf(() => disk.write(0, new Uint8Array(1)))).code).toBe('ERR_READ_ONLY');
});
