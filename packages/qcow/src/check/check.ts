import { type CheckReport, DiskError, type Io } from '@diskstack/core';
import { has, type QcowImage } from '../image/image.ts';
import { ENCRYPTION_HEADER } from '../layout/encryption-header.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import { MOST_EXTRA_BYTES } from '../layout/snapshot.ts';
import { namedBytes, readSnapshots, type SnapshotTable } from '../snapshots/snapshot-table.ts';
import { compareRefcounts, referRefcounts } from './compare-refcounts.ts';
import { CopiedBits } from './copied-bits.ts';
import { Counting } from './counting.ts';
import { Findings } from './findings.ts';
import { readRefcountTable } from './refcount-table.ts';
import { referBitmaps } from './refer-bitmaps.ts';
import { StoredRefcounts } from './stored-refcounts.ts';
import { type L1Place, walkL1Tables } from './walk-l1.ts';
import { type ClusterStatistics, walkL2Tables } from './walk-l2.ts';

/**
 * Compares the refcounts of an image with the references in it: the header, the L1 and L2 tables of the active state
 * and of every snapshot, bitmaps, the encryption header, and the refcount structures themselves. Only reads.
 *
 * Memory is bounded by the clusters in use, work by the size of the file and its tables, whatever the image claims.
 */
export async function checkImage(image: QcowImage, io: Io): Promise<CheckReport> {
  const { counting, stored, statistics } = await countReferences(image, io, true);
  const { findings } = counting;
  const lastCluster = await compareRefcounts(counting, stored);
  return {
    corruptions: findings.corruptions,
    leaks: findings.leaks,
    ...(findings.unattributed === 0 ? {} : { unattributed: findings.unattributed }),
    errors: findings.errors,
    findings: findings.kept,
    imageEndOffset: (lastCluster + 1) * counting.clusterSize,
    totalClusters: Math.ceil(image.header.size / counting.clusterSize),
    allocatedClusters: statistics.allocated,
    fragmentedClusters: statistics.fragmented,
    compressedClusters: statistics.compressed,
  };
}

/** The references in an image, and its stored refcounts. */
export interface CountedImage {
  /** The references. Its findings are about the tables themselves. */
  readonly counting: Counting;
  readonly stored: StoredRefcounts;
  readonly statistics: ClusterStatistics;
  /** `undefined` when the table cannot be read. */
  readonly snapshots: SnapshotTable | undefined;
  /** Number of findings about the refcount structures themselves. */
  readonly refcountDamage: number;
}

/** Counts all references in the image. `judgesCopied`: also finds wrong COPIED bits. */
export async function countReferences(
  image: QcowImage,
  io: Io,
  judgesCopied: boolean,
): Promise<CountedImage> {
  const counted = await countTables(image, io, judgesCopied);
  const { findings } = counted.counting;
  const before = findings.corruptions + findings.errors;
  referRefcounts(counted.counting, counted.stored);
  const refcountDamage = counted.refcountDamage + findings.corruptions + findings.errors - before;
  return { ...counted, refcountDamage };
}

/** Like `countReferences`, but without the references of the refcount structures. */
export async function countTables(image: QcowImage, io: Io, judgesCopied: boolean): Promise<CountedImage> {
  const { file, header, geometry } = image;
  const findings = new Findings();
  const counting = new Counting(image, findings, io);
  counting.refer(0, counting.clusterSize, 'the header');
  const table = await readRefcountTable(image, findings, io);
  const refcountDamage = findings.corruptions + findings.errors;
  const stored = new StoredRefcounts(file, table, geometry.clusterSize, header.refcountOrder);
  const copiedBits = new CopiedBits(counting, stored);

  counting.claim('the header', 0, 1);
  referEncryptionHeader(counting);
  const snapshots = await snapshotTable(counting);
  const visits = await walkL1Tables(counting, l1Places(counting, snapshots));
  const statistics = await walkL2Tables(counting, visits, judgesCopied ? copiedBits : undefined);
  if (judgesCopied) await copiedBits.checkL2Tables();
  await referBitmaps(counting);
  return { counting, stored, statistics, snapshots, refcountDamage };
}

function l1Places(counting: Counting, table: SnapshotTable | undefined): readonly L1Place[] {
  const { image, findings } = counting;
  const { l1TableOffset: at, l1Size: entries, version } = image.header;
  const active = { at, entries, isActive: true, what: 'the L1 table' };
  if (table === undefined) return [active];
  if (counting.refer(table.at, table.sureLength, 'the snapshot table'))
    counting.claim('the snapshot table', table.at, namedBytes(table, counting.clusterSize));
  if (table.snapshots.length > 0 && has(image, 'externalDataFile')) {
    findings.corruption(
      `${table.snapshots.length} snapshots in an image with an external data file`,
      table.at,
    );
  }
  for (const { diskSize, extraDataSize, at: entryAt } of table.snapshots) {
    if (extraDataSize > MOST_EXTRA_BYTES) {
      if (entryAt !== table.snapshots.at(-1)?.at) findings.unread++; // the next entry may be elsewhere
      const message = `a snapshot with ${extraDataSize} bytes of extra data, qemu opens ${MOST_EXTRA_BYTES} at most`;
      findings.repairableCorruption(message, entryAt);
    } else if (version >= 3 && diskSize === undefined)
      findings.repairableCorruption('a snapshot does not say how large its disk is', entryAt);
  }
  return [
    active,
    ...table.snapshots.map(({ l1TableOffset, l1Size }, index) => ({
      at: l1TableOffset,
      entries: l1Size,
      isActive: false,
      what: `the L1 table of snapshot ${index + 1}`,
    })),
  ];
}

/** Reads the snapshot table. Failure is a finding: clusters that only snapshots refer to are unknown then. */
async function snapshotTable({ image, findings, io }: Counting): Promise<SnapshotTable | undefined> {
  try {
    return await readSnapshots(image.file, image.header, image.limits, io);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    findings.unread++;
    findings.error(`the snapshots cannot be read: ${error.reason}`, error.offset);
    return undefined;
  }
}

function referEncryptionHeader(counting: Counting): void {
  const { image, findings } = counting;
  const extension = findExtension(image.extensions, EXTENSION_TYPE.encryptionHeader);
  if (extension === undefined) return;
  const { offset, length } = ENCRYPTION_HEADER.decode(extension.data, extension.at);
  const { maxTableBytes } = image.limits;
  if (length > maxTableBytes) {
    findings.corruption(
      `an encryption header of ${length} bytes, ${maxTableBytes} are allowed`,
      extension.at,
    );
    findings.unread++;
    return;
  }
  if (!counting.refer(offset, length, 'the encryption header', extension.at)) findings.unread++;
  else counting.claim('the encryption header', offset, length);
}
