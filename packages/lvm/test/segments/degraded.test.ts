import type { DiskModule } from '@diskstack/core';
import type { Volume } from '@diskstack/core/volumes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../support/content.ts';
import { expected, findSets, openFixture } from '../support/fixtures.ts';
import { patchedDisk } from '../support/patched-disk.ts';
import { physicalPlace } from '../support/vg-text.ts';

interface Lv {
  readonly name: string;
  readonly types: readonly string[];
  readonly sha256: string;
  readonly needs: readonly string[];
}

const FOLDER = 'lvm-alltypes';
const { lvs, files } = expected<{ lvs: readonly Lv[]; files: Record<string, unknown> }>(FOLDER);
const names = Object.keys(files);
const pvs = new Map<string, DiskModule>();

beforeAll(async () => {
  for (const file of names) pvs.set(file, await openFixture(FOLDER, file));
});
afterAll(async () => {
  for (const disk of pvs.values()) await disk.close();
});

async function volumesWithout(...missing: readonly string[]): Promise<readonly Volume[]> {
  const there = names.filter((name) => !missing.includes(name));
  const [set] = await findSets(there.map((name) => pvs.get(name) as DiskModule));
  return set?.volumes ?? [];
}

/** How many physical volumes may be missing for a segment type. */
function spare({ types: [type = ''], needs }: Lv): number {
  if (type.startsWith('raid6')) return 2;
  if (/^raid[45]/.test(type)) return 1;
  return type === 'raid1' || type === 'mirror' ? needs.length - 1 : 0;
}

const pairs = names.flatMap((one, index) => names.slice(index + 1).map((other) => [one, other] as const));

describe('without two of five physical volumes, each volume that can be read holds what the kernel read', () => {
  test.for(pairs)('%s and %s', async (missing) => {
    for (const lv of lvs) {
      const volume = (await volumesWithout(...missing)).find(({ name }) => name === lv.name) as Volume;
      const lost = lv.needs.filter((pv) => missing.includes(pv)).length;
      // The first leg is always current. The others need a log on disk, which `mirror_core` does not have.
      const isMirrorWithoutLog =
        lv.name === 'mirror_core' || (lv.name === 'mirror_disk' && missing.includes('pv-e.qcow2'));
      // Two copies of each chunk: images 0 and 1, 2 and 3.
      const isHalfOfRaid10 =
        lv.name === 'raid10' &&
        ['ab', 'cd'].every((half) => missing.filter((pv) => half.includes(pv.charAt(3))).length < 2);
      const isReadable =
        lv.name === 'raid10'
          ? isHalfOfRaid10
          : lost <= spare(lv) && !(isMirrorWithoutLog && missing.includes('pv-a.qcow2'));
      expect([lv.name, volume.status], `${volume.reason}`).toEqual([lv.name, isReadable ? 'ok' : 'error']);
      // Exactly the volumes that have lost something report that they are degraded.
      expect([lv.name, volume.facts?.degraded ?? false]).toEqual([lv.name, isReadable && lost > 0]);
      if (!isReadable || lost === 0) continue; // volumes that lost nothing are tested elsewhere
      await using disk = await volume.open();
      expect([lv.name, await sha256(disk, 700_001)]).toEqual([lv.name, lv.sha256]);
    }
  });
});

describe('superblocks of RAID sets', () => {
  async function raid1With(change: (view: DataView) => void): Promise<Volume> {
    const first = pvs.get('pv-a.qcow2') as DiskModule;
    const at = physicalPlace('raid1_rmeta_0');
    const patched = await patchedDisk(first);
    const sector = await first.read(at, 512);
    change(new DataView(sector.buffer, sector.byteOffset));
    patched.patch(at, sector);
    const rest = names.slice(1).map((name) => pvs.get(name) as DiskModule);
    const [set] = await findSets([patched.disk, ...rest]);
    return set?.volumes.find(({ name }) => name === 'raid1') as Volume;
  }

  const want = lvs.find(({ name }) => name === 'raid1')?.sha256;

  test.for<readonly [string, (view: DataView) => void]>([
    ['an image that was never built', (view) => view.setUint32(0, 0)],
    ['an image that has another place now', (view) => view.setUint32(12, 7, true)],
    ['an image that is rebuilt half-way', (view) => view.setBigUint64(32, 2048n, true)],
    [
      'an image that has failed according to the newest superblock',
      (view) => {
        view.setBigUint64(16, 9999n, true);
        view.setBigUint64(24, 1n, true);
      },
    ],
  ])('%s does no harm', async ([, change]) => {
    await using disk = await (await raid1With(change)).open();
    expect(await sha256(disk)).toBe(want);
  });

  test('a set in the middle of a reshape is refused', async () => {
    const volume = await raid1With((view) => {
      view.setUint32(4, 1, true);
      view.setUint32(60, 1, true);
    });
    expect(volume).toMatchObject({ status: 'unsupported', reason: expect.stringContaining('reshape') });
  });
});

describe('integrity', () => {
  /** `raidint` with writes in the journals of these images, of its two. */
  async function withJournal(...images: readonly number[]): Promise<Volume> {
    const disks = names.map((name) => pvs.get(name) as DiskModule);
    for (const image of images) {
      const patched = await patchedDisk(disks[image] as DiskModule);
      patched.patch(physicalPlace(`raidint_rimage_${image}_imeta`) + 4096 + 4, new Uint8Array(4));
      disks[image] = patched.disk;
    }
    const [set] = await findSets(disks);
    return set?.volumes.find(({ name }) => name === 'raidint') as Volume;
  }

  test('an image whose journal has writes is passed over', async () => {
    await using disk = await (await withJournal(0)).open();
    expect(await sha256(disk)).toBe(lvs.find(({ name }) => name === 'raidint')?.sha256);
  });

  test('without another image the volume is refused, with the reason', async () => {
    expect(await withJournal(0, 1)).toMatchObject({
      status: 'error',
      reason: expect.stringContaining('the integrity journal holds writes'),
    });
  });
});
