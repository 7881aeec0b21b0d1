import type { DiskModule } from '@diskstack/core';
import type { Volume } from '@diskstack/core/volumes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../support/content.ts';
import { expected, findSets, openFixture } from '../support/fixtures.ts';

interface Content {
  readonly outcome: 'ok' | 'error' | 'ok-or-error';
  readonly size?: number;
  readonly sha256?: string;
}
interface Listing {
  readonly vg: string;
  readonly lvs: readonly { name: string; size: number[]; types: string[]; status: string[] }[];
}
interface Check {
  readonly id: string;
  readonly verb: 'tree' | 'convert';
  readonly file: string;
  readonly files: readonly string[];
  readonly layer: string;
  readonly pvs: readonly string[];
  readonly expect: Content & Listing;
}

const FOLDER = 'lvm-alltypes';
const { checks, files } = expected<{ checks: readonly Check[]; files: Record<string, unknown> }>(FOLDER);
const pvs = new Map<string, DiskModule>();

beforeAll(async () => {
  for (const file of Object.keys(files)) pvs.set(file, await openFixture(FOLDER, file));
});
afterAll(async () => {
  for (const disk of pvs.values()) await disk.close();
});

async function volumesOn(names: readonly string[]): Promise<readonly Volume[]> {
  const sets = await findSets(names.map((name) => pvs.get(name) as DiskModule));
  expect(sets.map(({ name }) => name)).toEqual(['vgall']);
  return sets.flatMap(({ volumes }) => volumes);
}

describe('what the kernel read of each volume, and what may be read without a physical volume', () => {
  test.for(checks.filter(({ verb }) => verb === 'convert'))(
    '$id',
    async ({ file, layer, pvs: more, expect: want }) => {
      const volume = (await volumesOn([file, ...more])).find((one) => one.layer === layer);
      if (volume === undefined) throw new Error(`no ${layer}`);
      if (want.outcome === 'error') {
        expect(volume.status).toBe('error');
        await expect(volume.open()).rejects.toMatchObject({ name: 'DiskError', format: 'lvm2' });
        return;
      }
      await using disk = await volume.open(); // redundancy makes "ok or error" an ok here
      expect({ size: disk.size(), sha256: await sha256(disk) }).toEqual({
        size: want.size,
        sha256: want.sha256,
      });
      expect({ size: volume.size, status: volume.status }).toEqual({ size: want.size, status: 'ok' });
      expect(disk.diskType).toBe('LVM2');
    },
  );
});

describe('what is listed', () => {
  test.for(checks.filter(({ verb }) => verb === 'tree'))('$id', async ({ files: names, expect: want }) => {
    const volumes = await volumesOn(names);
    for (const lv of want.lvs) {
      const volume = volumes.find(({ name }) => name === lv.name);
      expect(lv.size).toContain(volume?.size);
      expect(lv.status, `${lv.name}: ${volume?.reason}`).toContain(volume?.status);
      expect(volume?.type).toBe(lv.types[0]);
      expect(volume?.reason === undefined).toBe(volume?.status === 'ok');
    }
    // The read-only origin of a thin volume is a volume like any other; the kernel's list leaves it out.
    expect(volumes.map(({ name }) => name).sort()).toEqual(
      [...want.lvs.map(({ name }) => name), 'ext_ro'].sort(),
    );
  });
});
