import { can, type DiskModule, type ImageMeasure, type Io } from '@diskstack/core';
import { throwIfAborted } from '@diskstack/core/format';
import { encryptionHeaderBytes } from './encryption.ts';
import type { MeasureQcowOptions } from './options.ts';
import { refcountSpace } from './refcount-space.ts';
import { type Shape, shapeOf } from './shape.ts';

/** Implements `measureQcow`. */
export async function measureNewImage(options: MeasureQcowOptions, io: Io): Promise<ImageMeasure> {
  const { source, encryption, hasBacking = false } = options;
  const shape = shapeOf(source === undefined ? options : { ...options, size: source.size() });
  const { clusterSize } = shape.geometry;
  const content = shape.guestClusters * clusterSize;
  const isFilled = shape.preallocation === 'falloc' || shape.preallocation === 'full';
  const header = Math.ceil((await encryptionHeaderBytes(encryption)) / clusterSize) * clusterSize;
  const fullyAllocated = header + metadataBytes(shape) + content;
  // The part that the source shares with a base is unknown. The worst case is all of it.
  const needed =
    isFilled || (source !== undefined && hasBacking)
      ? content
      : source === undefined
        ? 0
        : await allocatedBytes(source, clusterSize, io);
  const bitmaps = source === undefined || shape.version < 3 ? undefined : bitmapBytes(source, clusterSize);
  return {
    required: fullyAllocated - content + needed,
    fullyAllocated,
    ...(bitmaps === undefined ? {} : { bitmaps }),
  };
}

/** Bytes of the header, tables and refcounts of an image in which every cluster is allocated. */
function metadataBytes({ geometry, guestClusters, refcountOrder }: Shape): number {
  const { clusterSize, l2Entries } = geometry;
  const l2Tables = Math.ceil(guestClusters / l2Entries);
  const l1Clusters = Math.ceil((l2Tables * 8) / clusterSize);
  const counted = 1 + l2Tables + l1Clusters;
  const { blocks, tableClusters } = refcountSpace(counted + guestClusters, clusterSize, refcountOrder);
  return (counted + blocks + tableClusters) * clusterSize;
}

/** Bytes of the clusters that are not zero according to the extents of the source. */
async function allocatedBytes(source: DiskModule, clusterSize: number, io: Io): Promise<number> {
  if (!can(source, 'extents')) return Math.ceil(source.size() / clusterSize) * clusterSize;
  let bytes = 0;
  let counted = 0; // end of the last counted cluster
  for await (const { offset, length, kind } of source.extents(0, undefined, { ...io, findHoles: true })) {
    throwIfAborted(io.signal);
    if (kind === 'zero') continue;
    const start = Math.max(counted, offset - (offset % clusterSize));
    const end = Math.ceil((offset + length) / clusterSize) * clusterSize;
    bytes += Math.max(0, end - start);
    counted = Math.max(counted, end);
  }
  return bytes;
}

/** qcow2 spec, "Bitmap directory entry", bytes before the name. */
const BITMAP_ENTRY_BYTES = 24;

/** Bytes for copies of the source's bitmaps: bits, tables and the directory. */
function bitmapBytes(source: DiskModule, clusterSize: number): number | undefined {
  if (!can(source, 'bitmaps')) return undefined;
  const clusters = (bytes: number): number => Math.ceil(bytes / clusterSize);
  let directory = 0;
  let total = 0;
  for (const { name, granularity, flags } of source.bitmaps()) {
    if (flags.includes('in-use')) continue;
    const bits = clusters(Math.ceil(Math.ceil(source.size() / granularity) / 8));
    total += bits + clusters(bits * 8);
    directory += Math.ceil((BITMAP_ENTRY_BYTES + new TextEncoder().encode(name).length) / 8) * 8;
  }
  return (total + clusters(directory)) * clusterSize;
}
