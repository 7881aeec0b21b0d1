import { DiskError, type DiskModule, type Io } from '@diskstack/core';
import { compressorOf, type OpenContext, roundUp } from '@diskstack/core/format';
import { readRefcounts } from '../check/refcount-table.ts';
import { codecName, has, type QcowImage } from '../image/image.ts';
import { OverlapGuard } from '../image/overlap-guard.ts';
import { AUTOCLEAR } from '../layout/feature-bits.ts';
import type { SnapshotTable } from '../snapshots/snapshot-table.ts';
import type { L1Table } from '../tables/l1-table.ts';
import type { L2Tables } from '../tables/l2-tables.ts';
import { ImageFile } from './file/image-file.ts';
import { ActiveTables } from './metadata/active-tables.ts';
import { claimMetadata } from './metadata/claim-metadata.ts';
import { ClusterEntries } from './metadata/cluster-entries.ts';
import { ImageState } from './metadata/image-state.ts';
import { QcowWriter } from './qcow-writer.ts';
import { Allocator } from './space/allocator.ts';
import { Refcounts } from './space/refcounts.ts';

/** What has been read of an image that is opened for writing. */
export interface WriterSources {
  readonly image: QcowImage;
  readonly l1: L1Table;
  readonly l2Tables: L2Tables;
  readonly snapshots: SnapshotTable | DiskError;
  readonly base: DiskModule | undefined;
  readonly dataFile: DiskModule | undefined;
  readonly encrypted: boolean;
}

/** Makes the writer of an image. Claims the places of all metadata, so that no write of data can overwrite any. */
export async function openWriter(sources: WriterSources, context: OpenContext, io: Io): Promise<QcowWriter> {
  const { image, l1, l2Tables, snapshots, base, dataFile, encrypted } = sources;
  const { geometry, header, limits } = image;
  const { clusterSize } = geometry;
  const guard = new OverlapGuard(clusterSize);
  const file = new ImageFile(image.file, dataFile, guard, clusterSize);
  const { refcounts, uncounted, overlap } = await openRefcounts(sources, file, guard, io);
  const allocator = new Allocator(refcounts, guard, file, {
    clusterSize,
    limits,
  });
  if (snapshots instanceof DiskError) throw snapshots;
  const tables = new ActiveTables({ l1, l2Tables, geometry, refcounts, allocator, guard });
  const external = dataFile !== undefined;
  const extended = has(image, 'extendedL2');
  const state = new ImageState({ image, file, guard, refcounts, allocator, tables, uncounted, overlap });
  const parts = {
    state,
    guard,
    entries: new ClusterEntries({ geometry, version: header.version, extended, external }),
    base,
    encrypted,
    rawData: external && (header.autoclearFeatures & AUTOCLEAR.rawExternalData) !== 0n,
    compress: compressorOf(context.codecs, codecName(header)),
    access: context,
  };
  return new QcowWriter(parts, snapshots);
}

/**
 * Reads the refcounts and claims all metadata. When the refcounts themselves are damaged, the writer gets an empty
 * table and the reason: the image can only be repaired.
 */
async function openRefcounts(
  sources: WriterSources,
  file: ImageFile,
  guard: OverlapGuard,
  io: Io,
): Promise<{
  readonly refcounts: Refcounts;
  readonly uncounted: DiskError | undefined;
  readonly overlap: DiskError | undefined;
}> {
  const { image } = sources;
  const { clusterSize } = image.geometry;
  const shape = { clusterSize, refcountOrder: image.header.refcountOrder };
  try {
    const refcounts = new Refcounts(file, guard, shape, await readRefcounts(image, io));
    return { refcounts, uncounted: undefined, overlap: await claimMetadata(sources, guard, io) };
  } catch (error) {
    if (!(error instanceof DiskError) || (error.code !== 'ERR_CORRUPT' && error.code !== 'ERR_TRUNCATED'))
      throw error;
    guard.clear();
    const none = { view: new DataView(new ArrayBuffer(0)), at: roundUp(image.file.size(), clusterSize) };
    const refcounts = new Refcounts(file, guard, shape, none);
    const overlap = await claimMetadata(sources, guard, io);
    const reason = `the refcounts are damaged (${error.reason}): nothing is written before they are repaired`;
    return {
      refcounts,
      overlap,
      uncounted: new DiskError('ERR_READ_ONLY', reason, { offset: error.offset, cause: error }),
    };
  }
}
