import { type CheckReport, DiskError, hex, type Io } from '@diskstack/core';
import { readBitmaps } from '../bitmaps.ts';
import type { QcowImage } from '../image.ts';
import { bitmapClusterOffset, hasReservedBitmapBits } from '../layout/bitmap.ts';
import { ENCRYPTION_HEADER } from '../layout/encryption-header.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import { isL1Copied, l2TableOffset } from '../layout/l1-entry.ts';
import { hasReservedBits, refcountBlockOffset } from '../layout/refcount.ts';
import { readSnapshots } from '../snapshots.ts';
import { Counting } from './counting.ts';
import { Findings } from './findings.ts';
import { readRefcountTable } from './refcount-table.ts';
import { StoredRefcounts } from './stored-refcounts.ts';
import { type L1Place, walkL1Tables } from './walk-l1.ts';
import { walkL2Tables } from './walk-l2.ts';

/**
 * Holds the refcounts of an image against what its tables refer to: the header, the L1 and L2 tables of the active state
 * and of every snapshot, bitmaps, the encryption header, the refcounts' own structures. Reads only.
 *
 * Memory follows the clusters in use, work the size of the file and its tables, whatever the image says.
 */
export async function checkImage(image: QcowImage, io: Io): Promise<CheckReport> {
  const findings = new Findings();
  const counting = new Counting(image, findings, io);
  counting.refer(0, counting.clusterSize, 'the header');
  const stored = await storedRefcounts(counting);
  const places = await l1Places(counting);

  const visits = await walkL1Tables(counting, places);
  const statistics = await walkL2Tables(counting, visits, (host, copied, what, entryAt) =>
    checkCopied(counting, stored, host, copied, what, entryAt),
  );
  await checkCopiedL2Tables(counting, stored);
  referEncryptionHeader(counting);
  await referBitmaps(counting);
  referRefcounts(counting, stored);
  const lastCluster = await compare(counting, stored);

  return {
    corruptions: findings.corruptions,
    leaks: findings.leaks,
    errors: findings.errors,
    findings: findings.kept,
    imageEndOffset: (lastCluster + 1) * counting.clusterSize,
    totalClusters: Math.ceil(image.header.size / counting.clusterSize),
    allocatedClusters: statistics.allocated,
    fragmentedClusters: statistics.fragmented,
    compressedClusters: statistics.compressed,
  };
}

/** A refcount table that cannot be read is no reason to stop: all that is in use then lacks its refcount. */
async function storedRefcounts(counting: Counting): Promise<StoredRefcounts> {
  const { image, findings, clusterSize, io } = counting;
  const { refcountOrder, refcountTableOffset } = image.header;
  const none = { view: new DataView(new ArrayBuffer(0)), at: refcountTableOffset, entries: 0 };
  const table = await readRefcountTable(image, io).catch((error: unknown) => {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    if (error.code === 'ERR_CORRUPT') findings.corruption(error.reason, error.offset);
    else findings.error(error.reason, error.offset);
    return none;
  });
  return new StoredRefcounts(image.file, table, clusterSize, refcountOrder);
}

async function l1Places(counting: Counting): Promise<readonly L1Place[]> {
  const { image, io } = counting;
  const { l1TableOffset: at, l1Size: entries } = image.header;
  const table = await readSnapshots(image.file, image.header, image.limits, io);
  counting.refer(table.at, table.length, 'the snapshot table');
  return [
    { at, entries, isActive: true, what: 'the L1 table' },
    ...table.snapshots.map(({ l1TableOffset, l1Size }, index) => ({
      at: l1TableOffset,
      entries: l1Size,
      isActive: false,
      what: `the L1 table of snapshot ${index + 1}`,
    })),
  ];
}

/** qcow2 spec, "L2 table entry", bit 63: set exactly where the refcount is one. */
function checkCopied(
  counting: Counting,
  stored: StoredRefcounts,
  host: number,
  copied: boolean,
  what: string,
  entryAt: number,
): void | Promise<void> {
  const judge = (refcount: number): void => {
    if ((refcount === 1) === copied) return;
    counting.findings.corruption(
      `the COPIED bit of ${what} at byte ${hex(host)} is ${copied ? 1 : 0}, its refcount is ${refcount}`,
      entryAt,
    );
  };
  const refcount = stored.get(host / counting.clusterSize, counting.io);
  return refcount instanceof Promise ? refcount.then(judge) : judge(refcount);
}

async function checkCopiedL2Tables(counting: Counting, stored: StoredRefcounts): Promise<void> {
  const { l1TableOffset, l1Size } = counting.image.header;
  if (l1TableOffset % counting.clusterSize !== 0) return;
  const table = await counting.read(l1TableOffset, l1Size * 8, 'the L1 table');
  for (let position = 0; position < (table?.byteLength ?? 0); position += 8) {
    const hi = table?.getUint32(position) ?? 0;
    const at = l2TableOffset(hi, table?.getUint32(position + 4) ?? 0);
    if (at === 0 || at % counting.clusterSize !== 0) continue;
    await checkCopied(counting, stored, at, isL1Copied(hi), 'an L2 table', l1TableOffset + position);
  }
}

function referEncryptionHeader(counting: Counting): void {
  const extension = findExtension(counting.image.extensions, EXTENSION_TYPE.encryptionHeader);
  if (extension === undefined) return;
  const { offset, length } = ENCRYPTION_HEADER.decode(extension.data, extension.at);
  counting.refer(offset, length, 'the encryption header', extension.at);
}

async function referBitmaps(counting: Counting): Promise<void> {
  const { image, findings, io, clusterSize } = counting;
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined) return;
  const directory = await readBitmaps(image.file, extension, image.limits, io);
  counting.refer(directory.at, directory.length, 'the bitmap directory', extension.at);
  for (const { tableOffset, tableSize } of directory.bitmaps) {
    counting.refer(tableOffset, tableSize * 8, 'a bitmap table', directory.at);
    if (tableSize * 8 > image.limits.maxTableBytes) {
      findings.corruption(
        `a bitmap table of ${tableSize} entries, ${image.limits.maxTableBytes / 8} are allowed`,
        tableOffset,
      );
      continue;
    }
    const table = await counting.read(tableOffset, tableSize * 8, 'a bitmap table');
    for (let position = 0; position < (table?.byteLength ?? 0); position += 8) {
      const [hi, lo] = [table?.getUint32(position) ?? 0, table?.getUint32(position + 4) ?? 0];
      const at = bitmapClusterOffset(hi, lo);
      if (hasReservedBitmapBits(hi, lo) || at % clusterSize !== 0) {
        findings.corruption(
          `a bitmap table entry ${hex(hi)} ${hex(lo)} is not valid`,
          tableOffset + position,
        );
      } else if (at !== 0) {
        counting.refer(at, clusterSize, 'a cluster of a bitmap', tableOffset + position);
      }
    }
  }
}

/** The refcount table and its blocks refer to themselves as well. */
function referRefcounts(counting: Counting, { table }: StoredRefcounts): void {
  const { findings, clusterSize, image } = counting;
  counting.refer(table.at, table.entries * 8, 'the refcount table');
  for (let entry = 0; entry < table.entries; entry++) {
    const lo = table.view.getUint32(entry * 8 + 4);
    const at = refcountBlockOffset(table.view.getUint32(entry * 8), lo);
    const entryAt = table.at + entry * 8;
    if (hasReservedBits(lo)) findings.corruption('reserved bits are set in a refcount table entry', entryAt);
    if (at === 0) continue;
    if (at % clusterSize !== 0) {
      findings.corruption(`a refcount block at byte ${hex(at)}, not a multiple of ${clusterSize}`, entryAt);
    } else if (at >= image.file.size()) {
      findings.corruption(
        `a refcount block at byte ${hex(at)}, the file ends at ${hex(image.file.size())}`,
        entryAt,
      );
    } else {
      counting.refer(at, clusterSize, 'a refcount block', entryAt);
      const references = counting.counts.get(at / clusterSize);
      if (references !== 1) {
        findings.corruption(
          `a refcount block at byte ${hex(at)} is referred to ${references} times`,
          entryAt,
        );
      }
    }
  }
}

/** Every cluster of the file: what is stored against what was counted. Answers the last cluster in use. */
async function compare(counting: Counting, stored: StoredRefcounts): Promise<number> {
  const { findings, clusterSize, counts, image, io } = counting;
  const clusters = Math.ceil(image.file.size() / clusterSize);
  let last = -1;
  const judge = (cluster: number, refcount: number): void => {
    const references = counts.get(cluster);
    if (refcount !== 0 || references !== 0) last = Math.max(last, cluster);
    if (refcount === references) return;
    const message = `cluster ${cluster} has refcount ${refcount}, ${references} references`;
    if (refcount < references) findings.corruption(message, cluster * clusterSize);
    else findings.leak(message, cluster * clusterSize);
  };
  for (let entry = 0; entry < stored.table.entries && entry * stored.blockEntries < clusters; entry++) {
    const first = entry * stored.blockEntries;
    const block = await stored.block(entry, io);
    if (block === undefined) continue;
    const count = Math.min(stored.blockEntries, clusters - first);
    for (let index = 0; index < count; index++) judge(first + index, stored.at(block, index));
  }
  for (const cluster of counts.referenced()) {
    const hasBlock = stored.blockAt(Math.floor(cluster / stored.blockEntries)) !== 0;
    if (!hasBlock && cluster < clusters) judge(cluster, 0);
  }
  return last;
}
