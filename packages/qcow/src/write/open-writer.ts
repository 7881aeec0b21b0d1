import {
  breathe,
  type Compress,
  DiskError,
  type DiskModule,
  type Io,
  type OpenContext,
  roundUp,
} from '@diskstack/core';
import { readBitmaps } from '../bitmaps.ts';
import { readRefcounts } from '../check/refcount-table.ts';
import { has, type QcowImage } from '../image.ts';
import type { L1Table } from '../l1-table.ts';
import type { L2Tables } from '../l2-tables.ts';
import { bitmapClusterOffset } from '../layout/bitmap.ts';
import { ENCRYPTION_HEADER } from '../layout/encryption-header.ts';
import { AUTOCLEAR } from '../layout/feature-bits.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import { l2TableOffset } from '../layout/l1-entry.ts';
import { readSnapshots, type SnapshotTable } from '../snapshots.ts';
import { readStructure } from '../structure.ts';
import { ActiveTables } from './active-tables.ts';
import { Allocator } from './allocator.ts';
import { ClusterEntries } from './cluster-entries.ts';
import type { WrittenImage } from './commit.ts';
import { ImageFile } from './image-file.ts';
import { OverlapGuard } from './overlap-guard.ts';
import { QcowWriter } from './qcow-writer.ts';
import { Refcounts } from './refcounts.ts';

/** Bytes of a table between two looks at the clock. */
const BREATH = 32_768;

/** What has been read of an image that is to be written. */
export interface WriterSources {
  readonly image: QcowImage;
  readonly l1: L1Table;
  readonly l2Tables: L2Tables;
  readonly snapshots: SnapshotTable | DiskError;
  readonly base: DiskModule | undefined;
  readonly dataFile: DiskModule | undefined;
  readonly encrypted: boolean;
}

/** Makes the writer of an image: reads where all of its metadata is, so that no write can touch any of it. */
export async function openWriter(
  sources: WriterSources,
  { codecs }: OpenContext,
  io: Io,
): Promise<QcowWriter> {
  const { image, l1, l2Tables, snapshots, base, dataFile, encrypted } = sources;
  const { geometry, header, limits } = image;
  const { clusterSize } = geometry;
  const guard = new OverlapGuard(clusterSize);
  const file = new ImageFile(image.file, dataFile, guard, clusterSize);
  const { refcounts, uncounted } = await openRefcounts(sources, file, guard, io);
  const allocator = new Allocator(refcounts, guard, file, {
    clusterSize,
    maxTableBytes: limits.maxRefcountTableBytes,
  });
  if (snapshots instanceof DiskError) throw snapshots;
  const tables = new ActiveTables({ l1, l2Tables, geometry, refcounts, allocator, guard });
  const external = dataFile !== undefined;
  const extended = has(image, 'extendedL2');
  const written: WrittenImage = {
    image,
    file,
    refcounts,
    allocator,
    tables,
    uncounted,
    readsOver: () => undefined,
    forgetCompressed() {},
    async reclaim() {
      const now = await readSnapshots(image.file, written.image.header, limits, {});
      guard.clear();
      refcounts.claimPlaces();
      await claimMetadata({ image: written.image, l1: tables.l1, snapshots: now }, guard, {});
    },
  };
  const parts = {
    written,
    guard,
    entries: new ClusterEntries({ geometry, version: header.version, extended, external }),
    base,
    encrypted,
    rawData: external && (header.autoclearFeatures & AUTOCLEAR.rawExternalData) !== 0n,
    compress: compressorOf(image, codecs.compress),
  };
  return new QcowWriter(parts, snapshots);
}

/**
 * The refcounts, once the guard knows of all metadata. Where they are damaged themselves there are none: the image can be
 * repaired then, and nothing else.
 */
async function openRefcounts(
  sources: WriterSources,
  file: ImageFile,
  guard: OverlapGuard,
  io: Io,
): Promise<{ readonly refcounts: Refcounts; readonly uncounted: DiskError | undefined }> {
  const { image } = sources;
  const { clusterSize } = image.geometry;
  const shape = { clusterSize, refcountOrder: image.header.refcountOrder };
  try {
    const refcounts = new Refcounts(file, guard, shape, await readRefcounts(image, io));
    await claimMetadata(sources, guard, io);
    return { refcounts, uncounted: undefined };
  } catch (error) {
    if (!(error instanceof DiskError) || (error.code !== 'ERR_CORRUPT' && error.code !== 'ERR_TRUNCATED'))
      throw error;
    guard.clear();
    const none = { view: new DataView(new ArrayBuffer(0)), at: roundUp(image.file.size(), clusterSize) };
    const refcounts = new Refcounts(file, guard, shape, none);
    await claimMetadata(sources, guard, io);
    const reason = `the refcounts are damaged (${error.reason}): nothing is written before they are repaired`;
    return {
      refcounts,
      uncounted: new DiskError('ERR_READ_ONLY', reason, { offset: error.offset, cause: error }),
    };
  }
}

function compressorOf(
  { header }: QcowImage,
  compress: OpenContext['codecs']['compress'],
): Compress | undefined {
  return header.compressionType === 1 ? compress?.zstd : compress?.deflate;
}

async function claimMetadata(
  { image, l1, snapshots }: Pick<WriterSources, 'image' | 'l1' | 'snapshots'>,
  guard: OverlapGuard,
  io: Io,
): Promise<void> {
  const { file, header, extensions } = image;
  guard.claim('the header', 0, 1);
  const doubtful: number[] = [];
  await claimL1(guard, 'the L1 table', l1.at, l1.view, image, doubtful);
  if (!(snapshots instanceof DiskError)) {
    if (snapshots.length > 0) guard.claim('the snapshot table', header.snapshotsOffset, snapshots.length);
    let bytesLeft = file.size();
    for (const { l1TableOffset: at, l1Size, at: entryAt } of snapshots.snapshots) {
      const length = l1Size * 8;
      bytesLeft -= length;
      if (length > image.limits.maxTableBytes || bytesLeft < 0) {
        throw new DiskError('ERR_CORRUPT', `a snapshot with an L1 table of ${l1Size} entries`, {
          offset: entryAt,
        });
      }
      if (length === 0) continue;
      const bytes = await readStructure(
        file,
        { what: 'an L1 table of a snapshot', at, length, fieldAt: entryAt },
        io,
      );
      await claimL1(guard, 'the L1 table of a snapshot', at, new DataView(bytes.buffer), image, doubtful);
    }
  }
  const encryption = findExtension(extensions, EXTENSION_TYPE.encryptionHeader);
  if (encryption !== undefined) {
    const { offset, length } = ENCRYPTION_HEADER.decode(encryption.data, encryption.at);
    guard.claim('the encryption header', offset, Math.min(length, file.size()));
  }
  await claimBitmaps(image, guard, io);
  for (const at of doubtful) guard.claimDoubtful('an L2 table', at, image.geometry.l2TableBytes);
}

async function claimL1(
  guard: OverlapGuard,
  kind: 'the L1 table' | 'the L1 table of a snapshot',
  at: number,
  view: DataView,
  { geometry, file }: QcowImage,
  doubtful: number[],
): Promise<void> {
  if (view.byteLength > 0) guard.claim(kind, at, view.byteLength);
  for (let position = 0; position < view.byteLength; position += 8) {
    if (position % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const offset = l2TableOffset(view.getUint32(position), view.getUint32(position + 4));
    if (offset === 0) continue;
    // An offset that is damaged may be anywhere: it keeps no image from being repaired.
    if (offset % geometry.clusterSize !== 0 || offset >= file.size()) doubtful.push(offset);
    else guard.claim('an L2 table', offset, geometry.l2TableBytes);
  }
}

/** Bitmaps that may be out of date own nothing: what they name may be anything. */
async function claimBitmaps(image: QcowImage, guard: OverlapGuard, io: Io): Promise<void> {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined || (image.header.autoclearFeatures & AUTOCLEAR.bitmaps) === 0n) return;
  const { file, limits, geometry } = image;
  const directory = await readBitmaps(file, extension, limits, io);
  guard.claim('a bitmap', directory.at, directory.length);
  let bytesLeft = file.size();
  for (const { tableOffset: at, tableSize } of directory.bitmaps) {
    const length = tableSize * 8;
    bytesLeft -= length;
    if (length > limits.maxTableBytes || bytesLeft < 0) {
      throw new DiskError('ERR_CORRUPT', `a bitmap table of ${tableSize} entries`, { offset: at });
    }
    if (length === 0) continue;
    guard.claim('a bitmap', at, length);
    const table = new DataView(
      (await readStructure(file, { what: 'a bitmap table', at, length }, io)).buffer,
    );
    for (let position = 0; position < length; position += 8) {
      if (position % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      const cluster = bitmapClusterOffset(table.getUint32(position), table.getUint32(position + 4));
      if (cluster !== 0) guard.claim('a bitmap', cluster, geometry.clusterSize);
    }
  }
}
