import { DiskError, type Io, readFully } from '@diskstack/core';
import type { QcowImage } from '../image.ts';
import { HEADER_V2 } from '../layout/header.ts';
import type { RefcountTable } from './stored-refcounts.ts';

/** The refcount table, whole. Its size is held against the limit and the file before it is allocated. */
export async function readRefcountTable(
  { file, header, geometry, limits }: QcowImage,
  io: Io,
): Promise<RefcountTable> {
  const { refcountTableOffset: at, refcountTableClusters } = header;
  const length = refcountTableClusters * geometry.clusterSize;
  if (length > limits.maxRefcountTableBytes) {
    throw new DiskError(
      'ERR_LIMIT',
      `a refcount table of ${length} bytes, maxRefcountTableBytes allows ${limits.maxRefcountTableBytes}`,
      { offset: HEADER_V2.at.refcountTableClusters },
    );
  }
  if (at % geometry.clusterSize !== 0) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the refcount table is at byte ${at}, not a multiple of ${geometry.clusterSize}`,
      {
        offset: HEADER_V2.at.refcountTableOffset,
      },
    );
  }
  if (at + length > file.size()) {
    throw new DiskError(
      'ERR_TRUNCATED',
      `a refcount table up to byte ${at + length}, the file ends at ${file.size()}`,
      {
        offset: HEADER_V2.at.refcountTableOffset,
      },
    );
  }
  const bytes = new Uint8Array(length);
  await readFully(file, at, bytes, io);
  return { view: new DataView(bytes.buffer), at, entries: length / 8 };
}
