import type { DiskExtent, DiskModule } from '@diskstack/core';
import { can } from '@diskstack/core';
import { passThrough } from '@diskstack/core/format';
import { diskErrorOf } from '@diskstack/core/testing';
import type { Volume } from '@diskstack/core/volumes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expected, findSets, openFixture } from '../support/fixtures.ts';
import { groupText, linearText, pvWith, UUIDS, volumeText } from '../support/pv-builder.ts';

// Where `extents` says that the bytes of a volume are, they are: on the physical volume that it names, at that byte of it.

const FOLDER = 'lvm-alltypes';
const MIB = 1024 * 1024;

interface Lv {
  readonly name: string;
  readonly size: number;
  readonly needs: readonly string[];
}
const { lvs, files } = expected<{ lvs: readonly Lv[]; files: Record<string, unknown> }>(FOLDER);
const names = Object.keys(files);
const pvs = new Map<string, DiskModule>();

beforeAll(async () => {
  for (const name of names) {
    // A physical volume that does not say how it is stored itself: its own bytes are the places.
    const pv = passThrough(await openFixture(FOLDER, name), { only: [], location: name });
    await pv.init();
    pvs.set(name, pv);
  }
});
afterAll(async () => {
  for (const disk of pvs.values()) await disk.close();
});

async function openWithout(missing: readonly string[], name: string): Promise<DiskModule> {
  const there = names.filter((file) => !missing.includes(file));
  const [set] = await findSets(there.map((file) => pvs.get(file) as DiskModule));
  const volume = set?.volumes.find((one) => one.name === name) as Volume;
  return await volume.open();
}

async function extentsOf(disk: DiskModule): Promise<DiskExtent[]> {
  if (!can(disk, 'extents')) throw new Error('no extents');
  const extents: DiskExtent[] = [];
  for await (const extent of disk.extents()) extents.push(extent);
  return extents;
}

interface Placed {
  /** Bytes of data that are stored nowhere as they are. */
  readonly unplaced: number;
  /** The physical volumes that are named. */
  readonly on: readonly string[];
}

/** Compares the bytes at every place with those of the volume. */
async function checkPlaces(disk: DiskModule): Promise<Placed> {
  const on = new Set<string>();
  let unplaced = 0;
  let end = 0;
  for (const { offset, length, kind, at, source } of await extentsOf(disk)) {
    expect(offset).toBe(end);
    end += length;
    if (kind === 'data' && at === undefined) unplaced += length;
    if (kind !== 'data' || at === undefined) continue;
    const [name] = [...pvs].find(([, pv]) => pv === source) ?? [];
    on.add(name ?? 'a disk that is no physical volume');
    const [stored, read] = [await source?.read(at, length), await disk.read(offset, length)];
    expect(Buffer.compare(stored ?? new Uint8Array(), read), `${length} bytes at ${offset}`).toBe(0);
  }
  expect(end).toBe(disk.size());
  return { unplaced, on: [...on].sort() };
}

describe('the bytes of each volume that lvm2 made are on the physical volumes that it needs', () => {
  test.for(lvs)('$name', async ({ name, needs }) => {
    await using disk = await openWithout([], name);
    const { unplaced, on } = await checkPlaces(disk);
    expect(unplaced).toBe(0);
    expect(on.length).toBeGreaterThan(0);
    for (const file of on) expect(needs).toContain(file);
  });
});

/** Segments as `vg.txt` has them: extents of 1 MiB from byte 1 MiB on. `stripes` are physical volumes and extents of them. */
const SEGMENTS: readonly {
  name: string;
  size: number;
  chunk: number;
  stripes: readonly (readonly [string, number])[];
}[] = [
  { name: 'with-hyphen', size: MIB, chunk: MIB, stripes: [['pv-a.qcow2', 125]] },
  {
    name: 'striped2',
    size: 8 * MIB,
    chunk: 64 * 1024,
    stripes: [
      ['pv-a.qcow2', 11],
      ['pv-b.qcow2', 0],
    ],
  },
  {
    name: 'striped3',
    size: 6 * MIB,
    chunk: 4096,
    stripes: [
      ['pv-a.qcow2', 15],
      ['pv-b.qcow2', 4],
      ['pv-c.qcow2', 0],
    ],
  },
];

test.for(SEGMENTS)(
  'the places of $name are those of the metadata',
  async ({ name, size, chunk, stripes }) => {
    await using disk = await openWithout([], name);
    const places = Array.from({ length: size / chunk }, (_, number) => {
      const [file, extent] = stripes[number % stripes.length] as readonly [string, number];
      const at = MIB * (1 + extent) + Math.floor(number / stripes.length) * chunk;
      return [number * chunk, chunk, 'data', file, at];
    });
    const extents = await extentsOf(disk);
    expect(
      extents.map(({ offset, length, kind, at, source }) => [
        offset,
        length,
        kind,
        (source as { location?: string } | undefined)?.location,
        at,
      ]),
    ).toEqual(places);
  },
);

describe('what is computed from parity has no place, and the rest of the set keeps its own', () => {
  test.for([
    ['raid5', ['pv-b.qcow2'], 1 / 4],
    ['raid4', ['pv-a.qcow2'], 0], // the parity alone
    ['raid4', ['pv-b.qcow2'], 1 / 2],
    ['raid6', ['pv-a.qcow2', 'pv-e.qcow2'], 2 / 5],
    ['raid1', ['pv-a.qcow2'], 0],
  ] as const)('%s without %s', async ([name, missing, share]) => {
    await using disk = await openWithout(missing, name);
    const { unplaced, on } = await checkPlaces(disk);
    // The rows of `raid6` are no multiple of its images, so its share is near the number and not equal to it.
    expect(Math.abs(unplaced / disk.size() - share)).toBeLessThan(name === 'raid6' ? 0.02 : 1e-9);
    for (const file of missing) expect(on).not.toContain(file);
  });
});

describe('a volume on two physical volumes of which one is missing', () => {
  const EXTENT = 65_536;
  const text = groupText(
    volumeText('across', [
      [1, 'type = "striped" stripe_count = 1 stripes = ["pv0", 0]'],
      [1, 'type = "striped" stripe_count = 1 stripes = ["pv1", 2]'],
    ]) +
      volumeText('stripes', [
        [2, 'type = "striped" stripe_count = 2 stripe_size = 8 stripes = ["pv0", 3, "pv1", 3]'],
      ]) +
      linearText('whole', 'pv0', 5),
    { pvs: 2 },
  );
  const pv = (number: number): Promise<DiskModule> =>
    pvWith(text, {
      uuid: UUIDS[number] ?? '',
      damage: (bytes) => void bytes.fill(0x40 + number, EXTENT, 9 * EXTENT),
    });

  test('is read whole from both', async () => {
    const members = [await pv(0), await pv(1)];
    const [set] = await findSets(members);
    const across = set?.volumes.find(({ name }) => name === 'across') as Volume;
    await using disk = await across.open();
    expect(await disk.read(EXTENT - 1, 2)).toEqual(Uint8Array.of(0x40, 0x41));
    expect((await extentsOf(disk)).map(({ at, source }) => [at, source])).toEqual([
      [EXTENT, members[0]],
      [3 * EXTENT, members[1]],
    ]);
  });

  test.for([0, 1])('is refused without number %i, which is named, and never zeroes', async (missing) => {
    const [set] = await findSets([await pv(1 - missing)]);
    const id = (UUIDS[missing] ?? '').slice(0, 6);
    for (const name of ['across', 'stripes']) {
      const volume = set?.volumes.find((one) => one.name === name) as Volume;
      expect(volume.status).toBe('error');
      const error = await diskErrorOf(() => volume.open());
      expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', format: 'lvm2', layer: `vg/${name}` });
      expect(error.reason).toMatch(
        new RegExp(`^the physical volume "pv${missing}" \\("${id}-.*"\\) is missing$`),
      );
    }
    const whole = set?.volumes.find(({ name }) => name === 'whole') as Volume;
    expect(whole.status).toBe(missing === 0 ? 'error' : 'ok');
    if (missing === 0) return;
    await using disk = await whole.open();
    expect(await disk.read(0, disk.size())).toEqual(new Uint8Array(EXTENT).fill(0x40));
  });
});
