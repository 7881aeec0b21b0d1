import { type CheckReport, can, type DiskModule, MemoryDisk } from '@diskstack/core';
import { expect, test } from 'vitest';
import { checkDisk } from '../support/check.ts';
import { costOf } from '../support/cost.ts';
import { COPIED, FIRST_FREE, type ImageSpec, qcow2Image, standard } from '../support/image-builder.ts';
import { openDisk } from '../support/open.ts';
import { snapshotTable } from '../support/snapshot-table.ts';
import { sparseDisk } from '../support/sparse-disk.ts';

// A check ends, and keeps little, whatever the image says.

const KiB = 1024;
const MiB = 1024 * KiB;
const TiB = 1024 * 1024 * MiB;

/** A table of this many entries that are all the same. */
function entries(count: number, entry: bigint): Uint8Array {
  const table = Buffer.alloc(count * 8);
  table.writeBigUInt64BE(entry);
  for (let done = 8; done < table.length; done *= 2) table.copy(table, done, 0, done);
  return new Uint8Array(table.buffer, table.byteOffset, table.length);
}

async function quickCheck(image: Uint8Array | DiskModule): Promise<CheckReport> {
  await using disk = await openDisk(
    image instanceof Uint8Array ? new MemoryDisk(image, { writable: false }) : image,
    { format: 'qcow2' },
  );
  const { result, milliseconds, bytesKept } = await costOf(() => checkDisk(disk));
  expect(milliseconds).toBeLessThan(10_000); // of the processor: work that grows with its square takes hours
  expect(bytesKept).toBeLessThan(64 * MiB);
  return result;
}

/** Clusters of 64 KiB, an L1 table for 64 TiB, one data cluster in every L2 table that there is: one. */
function disk64TiB(more: ImageSpec = {}): Uint8Array {
  const cluster = 64 * KiB;
  return qcow2Image({
    clusterBits: 16,
    size: 64 * TiB,
    l2: { 0: standard(40 * cluster) },
    ...more,
    l1: [],
    header: { l1Size: 131_072, l1TableOffset: 16 * cluster, ...more.header },
    at: [
      [16 * cluster, entries(1, COPIED | BigInt(3 * cluster))],
      [16 * cluster + 131_071 * 8, entries(1, 0n)],
      [40 * cluster, new Uint8Array(cluster).fill(1)],
      ...(more.at ?? []),
    ],
  });
}

test('a sparse image of 64 TiB is checked quickly', async () => {
  const report = await quickCheck(disk64TiB());
  expect(report).toMatchObject({ allocatedClusters: 1, totalClusters: (64 * TiB) / (64 * KiB) });
  expect(report.corruptions).toBeGreaterThan(0); // it has no refcounts
});

test('a sparse file of 64 TiB is checked quickly', async () => {
  const report = await quickCheck(sparseDisk(disk64TiB(), 64 * TiB));
  expect(report.allocatedClusters).toBe(1);
});

test('4 million L1 entries that name one L2 table are walked once, and count as often', async () => {
  const count = 2 ** 22;
  const l1At = 64 * KiB;
  const l2At = 3 * 512;
  const image = qcow2Image({
    clusterBits: 9,
    size: count * 32 * KiB,
    l2: { 0: BigInt(FIRST_FREE * 512) },
    l1: [],
    header: { l1Size: count, l1TableOffset: l1At },
    at: [
      [FIRST_FREE * 512, new Uint8Array(512)],
      [l1At, entries(count, BigInt(l2At))],
    ],
  });
  const report = await quickCheck(image);
  expect(report.allocatedClusters).toBe(count);
});

test('65,536 snapshots with one L1 table end with a finding that says so', async () => {
  const cluster = 64 * KiB;
  const count = 65_536;
  const snapshot = Buffer.alloc(56);
  snapshot.writeBigUInt64BE(BigInt(200 * cluster), 0);
  snapshot.writeUInt32BE(2 ** 17, 8);
  snapshot.writeUInt32BE(16, 36); // extra data, up to the size of the disk
  const table = new Uint8Array(56 * count);
  for (let index = 0; index < count; index++) table.set(snapshot, index * 56);
  const image = disk64TiB({
    header: { nbSnapshots: count, snapshotsOffset: 64 * cluster },
    at: [
      [64 * cluster, table],
      [200 * cluster, new Uint8Array(2 ** 20)],
    ],
  });
  const report = await quickCheck(image);
  expect(report.findings.map(({ message }) => message).join()).toContain('overlap');
});

const REFCOUNTS = { refcountTableOffset: 8 * MiB, refcountTableClusters: 128 };

test.for([
  ['a small file', (image: Uint8Array) => new MemoryDisk(image, { writable: false })],
  ['a sparse file of 64 TiB', (image: Uint8Array) => sparseDisk(image, 64 * TiB)],
] as const)('a refcount table whose entries all name one block, in %s', async ([, disk]) => {
  const image = disk64TiB({
    header: REFCOUNTS,
    at: [
      [8 * MiB, entries(2 ** 20, BigInt(4 * 64 * KiB))],
      [4 * 64 * KiB, new Uint8Array(64 * KiB).fill(1)],
    ],
  });
  const report = await quickCheck(disk(image));
  expect(report.corruptions).toBeGreaterThanOrEqual(2 ** 20 - 1);
  expect(report.findings).toHaveLength(1000);
});

test('65,535 bitmaps with one table end with a finding that says so', async () => {
  const cluster = 64 * KiB;
  const count = 65_535;
  const bitmap = Buffer.alloc(32);
  bitmap.writeBigUInt64BE(BigInt(16 * cluster), 0);
  bitmap.writeUInt32BE(2 ** 17, 8);
  bitmap.set([1, 16, 0, 1], 16); // type, granularity_bits, name_size
  bitmap.set([0x61], 24);
  const directory = new Uint8Array(32 * count);
  for (let index = 0; index < count; index++) directory.set(bitmap, index * 32);
  const data = Buffer.alloc(24);
  data.writeUInt32BE(count, 0);
  data.writeBigUInt64BE(BigInt(directory.length), 8);
  data.writeBigUInt64BE(BigInt(64 * cluster), 16);
  const image = disk64TiB({
    header: { autoclearFeatures: 1n },
    extensions: [{ type: 0x23852875, data }],
    at: [[64 * cluster, directory]],
  });
  const report = await quickCheck(image);
  expect(report.findings.map(({ message }) => message).join()).toContain('bitmap tables');
});

test('an encryption header as long as a sparse file of 64 TiB is not counted cluster by cluster', async () => {
  const data = Buffer.alloc(16);
  data.writeBigUInt64BE(BigInt(64 * TiB), 8);
  const image = qcow2Image({ clusterBits: 9, extensions: [{ type: 0x0537be77, data }] });
  const report = await quickCheck(sparseDisk(image, 64 * TiB));
  expect(report.findings.map(({ message }) => message).join()).toContain('encryption header');
});

test('a signal ends a check', async () => {
  await using disk = await openDisk(new MemoryDisk(qcow2Image(), { writable: false }));
  if (!can(disk, 'check')) throw new Error('the disk has no check');
  const checking = disk.check({ signal: AbortSignal.abort() });
  await expect(checking).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('snapshots in an image with an external data file are a corruption', async () => {
  const image = qcow2Image({
    header: { incompatibleFeatures: 4n, nbSnapshots: 1, snapshotsOffset: 4 * 4096 },
    extensions: [{ type: 0x44415441, data: new TextEncoder().encode('data') }],
    at: [[4 * 4096, snapshotTable([{ l1TableOffset: 8192, l1Size: 0, id: '1', name: 'one' }])]],
  });
  await using disk = await openDisk(new MemoryDisk(image, { writable: false }), { metadataOnly: true });
  const { findings } = await checkDisk(disk);
  expect(findings.map(({ message }) => message).join()).toContain(
    '1 snapshots in an image with an external data file',
  );
});
