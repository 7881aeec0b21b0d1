import type { DiskModule } from '@diskstack/core';
import type { Volume, VolumeSet } from '@diskstack/core/volumes';
import { partition } from '@diskstack/partition';
import { afterAll, describe, expect, test } from 'vitest';
import { volumeManager } from '../src/index.ts';
import { sha256 } from './support/content.ts';
import { disksOver, expected, findSets, layoutContext, openFixture } from './support/fixtures.ts';

interface Check {
  readonly id: string;
  readonly verb: string;
  readonly layer: string;
  readonly pvs: readonly string[];
  readonly expect: { readonly outcome: string; readonly size: number; readonly sha256: string };
}

// A virtual machine on a storage domain: LUN → LVM → qcow2 overlay whose base is another volume → GPT → LVM on two disks.
const FOLDER = 'appliance-small';
const { checks } = expected<{ checks: readonly Check[] }>(FOLDER);
const opened: DiskModule[] = [];

afterAll(async () => {
  for (const disk of opened.reverse()) await disk.close();
});

function keep<T extends DiskModule>(disk: T): T {
  opened.push(disk);
  return disk;
}

/** The disk at the end of `lv:VG/LV`, `qcow2` and `pN` steps. */
async function layerOf(steps: string, pvs: readonly string[]): Promise<DiskModule> {
  let disk = keep(await openFixture(FOLDER, 'lun.qcow2'));
  let groups: readonly VolumeSet[] = [];
  for (const [step] of steps.matchAll(/lv:[^/]+\/[^/]+|[^/]+/g)) {
    if (step === 'qcow2') {
      disk = keep(await disksOver(volumeManager(groups)).push(disk, { format: 'qcow2' }));
      continue;
    }
    const more = await Promise.all(pvs.map((pv) => layerOf(pv.slice(pv.indexOf('#') + 1), [])));
    if (step.startsWith('lv:')) groups = await findSets([disk, ...more]);
    const sets = step.startsWith('lv:')
      ? groups
      : await partition.find([{ disk, path: 'disk' }], layoutContext);
    const volume = flat(sets.flatMap(({ volumes }) => volumes)).find(({ layer }) => layer === step);
    if (volume === undefined) throw new Error(`no ${step}`);
    disk = keep(await volume.open());
  }
  return disk;
}

function flat(volumes: readonly Volume[]): readonly Volume[] {
  return volumes.flatMap((volume) => [volume, ...flat(volume.children ?? [])]);
}

describe('every layer of a machine', () => {
  test.for(checks.filter(({ verb }) => verb === 'convert'))('$id', async ({ layer, pvs, expect: want }) => {
    if (want.outcome === 'error') {
      await expect(layerOf(layer, pvs)).rejects.toMatchObject({ name: 'DiskError', code: 'ERR_NOT_FOUND' });
      return;
    }
    const disk = await layerOf(layer, pvs);
    expect({ size: disk.size(), sha256: await sha256(disk) }).toEqual({
      size: want.size,
      sha256: want.sha256,
    });
  });
});

test('an overlay in a volume names its base by a path of the host; the volume manager knows the last part of it', async () => {
  const { layer } = checks.find(({ id }) => id === 'top') as Check;
  const disk = await layerOf(layer, []);
  expect(disk.diskType).toBe('QCOW-LVM2');
});
