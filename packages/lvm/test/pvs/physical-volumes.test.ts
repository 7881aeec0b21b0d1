import type { DiskModule } from '@diskstack/core';
import type { VolumeSet } from '@diskstack/core/volumes';
import { describe, expect, test } from 'vitest';
import { findSets } from '../support/fixtures.ts';
import { groupText, linearText, pvDisk, pvWith, SECTOR, UUIDS } from '../support/pv-builder.ts';

const text = groupText(linearText('one', 'pv0', 0));
const AREA = { at: 4096, size: 60 * 1024 };

async function namesOn(...disks: readonly DiskModule[]): Promise<readonly (string | undefined)[]> {
  return (await findSets(disks)).flatMap(({ volumes }) => volumes.map(({ layer }) => layer));
}

async function onlySet(...disks: readonly DiskModule[]): Promise<VolumeSet> {
  const sets = await findSets(disks);
  expect(sets).toHaveLength(1);
  return sets[0] as VolumeSet;
}

describe('labels', () => {
  test.for([0, 1, 2, 3])('in sector %i', async (labelSector) => {
    expect(await namesOn(await pvWith(text, { labelSector }))).toEqual(['lv:vg/one']);
  });

  test('in sector 4 there is none', async () => {
    expect(await findSets([await pvWith(text, { labelSector: 4 })])).toEqual([]);
  });

  test.for([
    ['another CRC', 20, 'the label in sector 1 has the CRC'],
    ['another sector', 8, 'the label in sector 1 records that it is in sector'],
    ['another type', 24, 'has another type than "LVM2 001"'],
  ] as const)('%s', async ([, offset, reason]) => {
    const damage = (bytes: Uint8Array): void => {
      bytes[SECTOR + offset] = (bytes[SECTOR + offset] ?? 0) ^ 0xff;
    };
    const set = await onlySet(await pvWith(text, { damage }));
    expect(set.volumes).toEqual([]);
    expect(set.problem).toContain(reason);
  });

  test('disks without one, and an empty disk', async () => {
    const small = await pvDisk({ size: 1024 * 1024, damage: (bytes) => bytes.fill(0) });
    expect(await findSets([small])).toEqual([]);
  });
});

describe('metadata areas', () => {
  test('a text that wraps around the end of its area', async () => {
    const disk = await pvDisk({ areas: [{ ...AREA, text, offset: AREA.size - 100 }] });
    expect(await namesOn(disk)).toEqual(['lv:vg/one']);
  });

  test('two areas: the second one is read when the first is damaged', async () => {
    const areas = [
      { at: 4096, size: 28 * 1024, text },
      { at: 36 * 1024, size: 28 * 1024, text },
    ];
    const damage = (bytes: Uint8Array): void => void bytes.fill(0x58, 4096 + 512, 4096 + 520);
    const set = await onlySet(await pvDisk({ areas, damage }));
    expect(set.volumes.map(({ name }) => name)).toEqual(['one']);
    expect(set.problem).toBeUndefined();
    expect(set.facts?.warnings).toEqual([
      expect.stringContaining('the metadata area at byte 4096 cannot be used: its text has the CRC'),
    ]);
  });

  test('no area: another disk describes the group', async () => {
    const both = groupText(linearText('one', 'pv1', 2), { pvs: 2 });
    const bare = await pvDisk({ uuid: UUIDS[1] ?? '' });
    expect((await onlySet(bare, await pvWith(both))).volumes).toMatchObject([{ name: 'one', status: 'ok' }]);
    expect((await onlySet(bare)).problem).toContain('no metadata areas');
  });

  test('an area that holds no text: a physical volume of no group', async () => {
    const set = await onlySet(await pvDisk({ areas: [AREA] }));
    expect(set).toMatchObject({ layout: 'lvm2', members: [0], volumes: [] });
    expect(set.problem).toBeUndefined();
  });

  test.for([
    ['its CRC', 0, 'its header has the CRC'],
    ['its magic', 4, 'the metadata area header has a wrong magic'],
  ] as const)('a header with damage in %s', async ([, offset, reason]) => {
    const damage = (bytes: Uint8Array): void => {
      bytes[AREA.at + offset] = (bytes[AREA.at + offset] ?? 0) ^ 1;
    };
    expect((await onlySet(await pvWith(text, { damage }))).problem).toContain(reason);
  });

  test('a text that does not parse', async () => {
    expect((await onlySet(await pvWith('vg { id = '))).problem).toContain('a value expected');
  });
});

describe('which text is current', () => {
  const older = groupText(linearText('old', 'pv0', 0), { seqno: 4, pvs: 2 });
  const newer = groupText(linearText('new', 'pv0', 0), { seqno: 5, pvs: 2 });

  test('the highest sequence number of all disks, in any order', async () => {
    const one = await pvWith(older);
    const two = await pvWith(newer, { uuid: UUIDS[1] ?? '' });
    expect(await namesOn(one, two)).toEqual(['lv:vg/new']);
    expect(await namesOn(two, one)).toEqual(['lv:vg/new']);
  });

  test('an area that is ignored counts only where there is no other', async () => {
    const ignored = await pvDisk({ uuid: UUIDS[1] ?? '', areas: [{ ...AREA, text: newer, ignored: true }] });
    expect(await namesOn(ignored, await pvWith(older))).toEqual(['lv:vg/old']);
    expect(await namesOn(ignored)).toEqual(['lv:vg/new']);
  });

  test('a disk that has moved to another group is not one of this', async () => {
    const moved = groupText(linearText('theirs', 'pv0', 0), { name: 'other', id: 'group2' });
    const stale = groupText(linearText('one', 'pv0', 0), { pvs: 2 });
    const sets = await findSets([await pvWith(moved), await pvWith(stale, { uuid: UUIDS[1] ?? '' })]);
    const statuses = Object.fromEntries(sets.map(({ name, volumes }) => [name, volumes[0]?.status]));
    expect(statuses).toEqual({ vg: 'error', other: 'ok' });
  });

  test('the same physical volume twice: the first is used, and the set has a warning', async () => {
    const [set, other] = await findSets([await pvWith(text), await pvWith(text)]);
    expect(set?.members).toEqual([0]);
    expect(set?.facts?.warnings).toEqual([expect.stringContaining('more than once')]);
    expect(other).toMatchObject({
      members: [1],
      volumes: [],
      problem: expect.stringContaining('already found'),
    });
  });
});
