import { DiskError, type Io } from '@diskstack/core';
import { limitError, readFully } from '@diskstack/core/format';
import type { QcowImage } from '../image/image.ts';
import { HEADER_V2 } from '../layout/header.ts';
import type { Findings } from './findings.ts';
import type { RefcountTable } from './stored-refcounts.ts';

/** Reads the refcount table for a check. Failure is a finding, and the check continues with an empty table. */
export async function readRefcountTable(
  image: QcowImage,
  findings: Findings,
  io: Io,
): Promise<RefcountTable> {
  try {
    return await readRefcounts(image, io);
  } catch (error) {
    findings.failure('the refcount table cannot be read', error); // it names only refcount blocks
    return { view: new DataView(new ArrayBuffer(0)), at: image.header.refcountTableOffset, entries: 0 };
  }
}

/** Reads the refcount table. Checks its size against the limit and the file before allocating. */
export async function readRefcounts(
  { file, header, geometry, limits }: QcowImage,
  io: Io,
): Promise<RefcountTable> {
  const { refcountTableOffset: at, refcountTableClusters } = header;
  const { clusterSize } = geometry;
  const length = refcountTableClusters * clusterSize;
  if (length > limits.maxRefcountTableBytes) {
    const found = `a refcount table of ${length} bytes`;
    throw limitError('maxRefcountTableBytes', limits, found, HEADER_V2.at.refcountTableClusters);
  }
  if (at % clusterSize !== 0) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the refcount table is at byte ${at}, not a multiple of ${clusterSize}`,
      { offset: HEADER_V2.at.refcountTableOffset },
    );
  }
  const there = Math.min(length, file.size() - at);
  if (length - there >= clusterSize) {
    throw new DiskError(
      'ERR_TRUNCATED',
      `a refcount table up to byte ${at + length}, the file ends at ${file.size()}`,
      { offset: HEADER_V2.at.refcountTableOffset },
    );
  }
  const bytes = new Uint8Array(length);
  await readFully(file, at, bytes.subarray(0, there), io);
  return { view: new DataView(bytes.buffer), at, entries: length / 8 };
}
