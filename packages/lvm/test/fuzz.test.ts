import { can, DiskError, type DiskModule, MemoryDisk } from '@diskstack/core';
import { crc32, crc32c } from '@diskstack/core/format';
import type { Volume } from '@diskstack/core/volumes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expected, findSets, fixtureText, openFixture } from './support/fixtures.ts';
import { mutateBlock, mutateText, type Random, randomBy } from './support/mutate.ts';
import { type PatchedDisk, patchedDisk } from './support/patched-disk.ts';
import { pvBytes } from './support/pv-builder.ts';
import { physicalPlace } from './support/vg-text.ts';

// A mutant may only fail with a DiskError, and must not hang (the test would time out). LVM_FUZZ_COUNT sets the number of
// mutants, LVM_FUZZ_SEED the seed.
const COUNT = Number(process.env.LVM_FUZZ_COUNT ?? 2000);
const SEED = Number(process.env.LVM_FUZZ_SEED ?? 1);
const FOLDER = 'lvm-alltypes';
const BLOCK = 4096;
const names = Object.keys(expected<{ files: Record<string, unknown> }>(FOLDER).files);
const pvs: DiskModule[] = [];

beforeAll(async () => {
  for (const name of names) pvs.push(await openFixture(FOLDER, name));
});
afterAll(async () => {
  for (const disk of pvs) await disk.close();
});

/** Runs mutants; returns how many volumes were read, and how many were refused. */
async function fuzz(
  share: number,
  salt: number,
  mutant: (
    random: Random,
  ) => Promise<{ readonly disks: readonly DiskModule[]; readonly only?: ReadonlySet<string> }>,
): Promise<void> {
  let read = 0;
  let refused = 0;
  for (let number = 0; number < COUNT * share; number++) {
    const random = randomBy(SEED * 7919 + salt + number * 2654435761);
    const { disks, only } = await mutant(random);
    const sets = await findSets(disks);
    if (sets.length === 0) refused++;
    for (const set of sets) {
      if (set.problem !== undefined) refused++;
      for (const volume of set.volumes) {
        if (only !== undefined && !only.has(volume.name ?? '')) continue;
        try {
          await exercise(volume, random);
          read++;
        } catch (error) {
          if (!(error instanceof DiskError))
            throw new Error(`mutant ${number}, ${volume.layer}`, { cause: error });
          refused++;
        }
      }
    }
  }
  expect({ read: read > 0, refused: refused > 0 }).toEqual({ read: true, refused: true });
}

async function exercise(volume: Volume, random: Random): Promise<void> {
  await using disk = await volume.open();
  const offset = random(3) === 0 ? 0 : random(2 ** 32) % Math.max(1, disk.size());
  await disk.read(offset, 1 + random(100_000));
  await disk.read(Math.max(0, disk.size() - 5000), 5000);
  let left = 300;
  if (can(disk, 'extents')) for await (const _extent of disk.extents()) if (left-- === 0) break;
}

describe('mutants', () => {
  const text = fixtureText(FOLDER, 'vg.txt').replace('seqno = 73', 'seqno = 74');

  test('of metadata text', async () => {
    await fuzz(0.1, 1, async (random) => {
      const patched = await patchedDisk(pvs[0] as DiskModule);
      const areas = [{ at: BLOCK, size: 900_000, text: mutateText(text, random) }];
      const header = await (pvs[0] as DiskModule).read(512 + 32, 32);
      const uuid = new TextDecoder().decode(header);
      patched.patch(0, pvBytes({ uuid, areas }).subarray(0, 1_000_000));
      return { disks: [patched.disk, ...pvs.slice(1)] };
    });
  }, 600_000);

  test('of labels, PV headers and metadata area headers', async () => {
    const small = text
      .slice(0, text.indexOf('logical_volumes'))
      .concat(
        'logical_volumes { lv { id = "x" status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 0] } } } }',
      );
    const uuid = new TextDecoder().decode(await (pvs[0] as DiskModule).read(512 + 32, 32));
    const disk = pvBytes({
      uuid,
      size: 4 * 1024 * 1024,
      areas: [{ at: BLOCK, size: 60 * 1024, text: small }],
    });
    const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset);
    await fuzz(0.4, 2, async (random) => {
      const bytes = disk.slice();
      const isLabel = random(2) === 0;
      const at = isLabel ? 512 : BLOCK;
      bytes.set(mutateBlock(bytes.slice(at, at + 512), random), at);
      const sector = bytes.subarray(at, at + 512);
      if (random(4) > 0 && isLabel)
        view(sector).setUint32(16, crc32(sector.subarray(20), 0xf597a6cf, 0), true);
      if (random(4) > 0 && !isLabel)
        view(sector).setUint32(0, crc32(sector.subarray(4), 0xf597a6cf, 0), true);
      const mutant = new MemoryDisk(bytes);
      await mutant.init();
      return { disks: [mutant] };
    });
  }, 600_000);

  // Metadata blocks inside volumes: their places, their kind of checksum, and the volumes that need them.
  const METADATA: readonly (readonly [
    volume: string,
    pv: number,
    block: number,
    salt: number | undefined,
    users: readonly string[],
  ])[] = [
    ['pool_tmeta', 4, 0, 160774, ['thin1', 'thin1snap', 'thin2', 'extthin']],
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(
      (block) => ['pool_tmeta', 4, block, 121107, ['thin1', 'thin1snap', 'thin2', 'extthin']] as const,
    ),
    ['cpool_cpool_cmeta', 1, 0, 9031977, ['cached']],
    ...[1, 2, 3, 4, 5, 6].flatMap((block) => [
      ['cpool_cpool_cmeta', 1, block, 121107, ['cached']] as const,
      ['cpool_cpool_cmeta', 1, block, 595846735, ['cached']] as const,
    ]),
    ['cowsnap', 0, 0, undefined, ['cowsnap']],
    ['cowsnap', 0, 4, undefined, ['cowsnap']],
    ['wcfast_cvol', 3, 0, undefined, ['wcorig']],
    ['raid1_rmeta_0', 0, 0, undefined, ['raid1']],
    ['raid5_rmeta_0', 0, 0, undefined, ['raid5']],
    ['raid6_rmeta_0', 0, 0, undefined, ['raid6']],
    ['mirror_disk_mlog', 4, 0, undefined, ['mirror_disk']],
  ];

  test('of the metadata of pools, caches, snapshots and RAID sets', async () => {
    await fuzz(0.5, 3, async (random) => {
      const disks = [...pvs];
      const changed = new Map<number, PatchedDisk>();
      const users = new Set<string>();
      for (let changes = 1 + random(2); changes > 0; changes--) {
        const [volume, pv, block, salt, needed] = METADATA[
          random(METADATA.length)
        ] as (typeof METADATA)[number];
        const at = physicalPlace(volume) + block * BLOCK;
        const mutant = mutateBlock(await (pvs[pv] as DiskModule).read(at, BLOCK), random);
        if (salt !== undefined && random(5) > 0) {
          const sum = (crc32c(mutant.subarray(4), 0xffff_ffff, 0) ^ salt) >>> 0;
          new DataView(mutant.buffer).setUint32(0, sum, true);
        }
        const patched = changed.get(pv) ?? (await patchedDisk(pvs[pv] as DiskModule));
        changed.set(pv, patched);
        patched.patch(at, mutant);
        disks[pv] = patched.disk;
        for (const name of needed) users.add(name);
      }
      if (random(3) === 0) disks.splice(0, 1); // without the first one, RAID sets are rebuilt and mirrors read their log
      return { disks, only: users };
    });
  }, 600_000);
});
