import { deflateRawSync } from 'node:zlib';
import { createDisks } from '@diskstack/core';
import { diskErrorOf } from '@diskstack/core/testing';
import { describe, expect, test } from 'vitest';
import { checkDisk } from './support/check.ts';
import { text } from './support/content.ts';
import { extentsOf } from './support/extents.ts';
import { compressed, FIRST_FREE, qcow1Image, qcow2Image, standard } from './support/image-builder.ts';
import { memoryGate } from './support/memory-gate.ts';
import { FORMATS } from './support/open.ts';
import { sample } from './support/sampler.ts';
import { snapshotTable } from './support/snapshot-table.ts';

// What a bomb costs is bounded however it is reached; what is no bomb does not notice the bounds.

const MiB = 2 ** 20;
const CLUSTER = 64 * 1024;
const STREAM_AT = FIRST_FREE * CLUSTER;
const PLAIN_AT = STREAM_AT + CLUSTER;
const filled = new Uint8Array(CLUSTER).fill(7);
const plain = text(CLUSTER, 1);
const stream = deflateRawSync(filled);
/** One L2 table that names one stream 8191 times, and a plain cluster at the end. */
const ENTRIES = CLUSTER / 8;
const PLAIN_CLUSTER = ENTRIES - 1;
const l2 = Object.fromEntries(
  Array.from({ length: ENTRIES }, (_, index) => [
    index,
    index === PLAIN_CLUSTER ? standard(PLAIN_AT) : compressed(STREAM_AT, stream.length, 16),
  ]),
);
const bomb = qcow2Image({
  clusterBits: 16,
  size: ENTRIES * CLUSTER,
  l2,
  at: [
    [STREAM_AT, stream],
    [PLAIN_AT, plain],
  ],
});

const disksWith = (limits: NonNullable<Parameters<typeof createDisks>[0]['limits']>) =>
  createDisks({ formats: FORMATS, limits });

describe('a bomb of 8191 entries that share one stream', () => {
  test('is stopped in one long read, and by its name', async () => {
    await using disk = await disksWith({ maxInflatedBytes: 2 * MiB }).open(bomb);
    const error = await diskErrorOf(() => disk.read(0, 64 * MiB));
    expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow2' });
    expect(error.message).toContain('maxInflatedBytes');
  });

  test('is stopped by maxInflationRatio, by its name', async () => {
    await using disk = await disksWith({ maxInflationRatio: 2 }).open(bomb);
    const error = await diskErrorOf(() => disk.read(0, 64 * MiB));
    expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow2' });
    expect(error.message).toContain('maxInflationRatio');
  });

  test('gives reads that run at once no more together than the budget', async () => {
    await using disk = await disksWith({ maxInflatedBytes: 2 * MiB }).open(bomb);
    const reads = Array.from({ length: 16 }, (_, index) => disk.read(index * MiB, MiB));
    const settled = await Promise.allSettled(reads);
    const given = settled.filter(({ status }) => status === 'fulfilled').length;
    expect(given).toBeLessThanOrEqual(2);
    for (const result of settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_LIMIT' });
      else expect(result.value).toEqual(new Uint8Array(MiB).fill(7));
    }
  });

  test('leaves clusters that are not compressed readable when the budget is spent', async () => {
    await using disk = await disksWith({ maxInflatedBytes: CLUSTER }).open(bomb);
    expect((await diskErrorOf(() => disk.read(0, MiB))).code).toBe('ERR_LIMIT');
    expect(await disk.read(PLAIN_CLUSTER * CLUSTER, CLUSTER)).toEqual(plain);
  });

  test('is opened, told, mapped and checked without a byte of the budget', async () => {
    await using disk = await disksWith({ maxInflatedBytes: CLUSTER }).open(bomb);
    expect(await extentsOf(disk)).not.toEqual([]);
    expect((await checkDisk(disk)).compressedClusters).toBe(ENTRIES - 1);
    expect(await disk.read(0, CLUSTER)).toEqual(filled);
  });

  test('is stopped below an overlay too', async () => {
    const disks = createDisks({
      formats: FORMATS,
      gate: memoryGate({ bomb }),
      limits: { maxInflatedBytes: 2 * MiB },
    });
    const overlay = qcow2Image({ clusterBits: 16, size: 64 * MiB, backing: 'bomb' });
    await using disk = await disks.open(overlay);
    expect((await diskErrorOf(() => disk.read(0, 64 * MiB))).code).toBe('ERR_LIMIT');
  });

  test('is stopped in a snapshot too', async () => {
    const tableAt = PLAIN_AT + CLUSTER;
    const snapshots = snapshotTable([
      { l1TableOffset: 2 * CLUSTER, l1Size: 1, id: '1', name: 'one', diskSize: ENTRIES * CLUSTER },
    ]);
    const image = qcow2Image({
      clusterBits: 16,
      size: ENTRIES * CLUSTER,
      l2,
      header: { nbSnapshots: 1, snapshotsOffset: tableAt },
      at: [
        [STREAM_AT, stream],
        [PLAIN_AT, plain],
        [tableAt, snapshots],
      ],
    });
    await using disk = await disksWith({ maxInflatedBytes: 2 * MiB }).open(image, { snapshot: 'one' });
    expect((await diskErrorOf(() => disk.read(0, 64 * MiB))).code).toBe('ERR_LIMIT');
  });
});

test('an ordinary image with compressed clusters is read whole under both limits', async () => {
  const { image, expected } = sample(3, { compress: (bytes) => deflateRawSync(bytes) });
  await using disk = await disksWith({ maxInflatedBytes: expected.length, maxInflationRatio: 10 }).open(
    image,
  );
  expect(await disk.read(0, disk.size())).toEqual(expected);
});

test('without limits of the caller, a bomb is read: the defaults refuse no image for its content', async () => {
  await using disk = await createDisks({ formats: FORMATS }).open(bomb);
  expect(await disk.read(32 * MiB, MiB)).toEqual(new Uint8Array(MiB).fill(7));
});

describe('maxVirtualSize, given through createDisks', () => {
  test('refuses a larger disk of version 1', async () => {
    const error = await diskErrorOf(() => disksWith({ maxVirtualSize: 65_535 }).open(qcow1Image()));
    expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'qcow' });
  });

  test('refuses a larger base below a small overlay', async () => {
    const disks = createDisks({
      formats: FORMATS,
      gate: memoryGate({ base: qcow2Image({ size: 2 * 65_536 }) }),
      limits: { maxVirtualSize: 65_536 },
    });
    const error = await diskErrorOf(() => disks.open(qcow2Image({ backing: 'base' })));
    expect(error.code).toBe('ERR_LIMIT');
  });

  test('refuses a snapshot that is larger than the disk is now', async () => {
    const image = qcow2Image({
      header: { nbSnapshots: 1, snapshotsOffset: 16_384 },
      at: [
        [16_384, snapshotTable([{ l1TableOffset: 8192, l1Size: 1, id: '1', name: 'one', diskSize: MiB }])],
      ],
    });
    const disks = disksWith({ maxVirtualSize: 65_536 });
    await (await disks.open(image)).close();
    expect((await diskErrorOf(() => disks.open(image, { snapshot: 'one' }))).code).toBe('ERR_LIMIT');
  });
});
