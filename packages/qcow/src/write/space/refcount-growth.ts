import { DiskError, roundUp } from '@diskstack/core';
import type { ImageFile } from '../file/image-file.ts';
import type { Refcounts } from './refcounts.ts';

/** What more refcounts need. */
export interface GrowthContext {
  readonly refcounts: Refcounts;
  readonly file: ImageFile;
  readonly clusterSize: number;
  readonly maxTableBytes: number;
  /** Takes clusters next to each other, and answers the number of the first. */
  take(count: number): Promise<number>;
  /** Gives clusters back. */
  give(first: number, count: number): void;
}

/** The first block that is not there, of those that count these clusters. */
export function missingBlock(refcounts: Refcounts, first: number, count: number): number | undefined {
  const { blockEntries } = refcounts;
  const last = Math.floor((first + count - 1) / blockEntries);
  for (let index = Math.floor(first / blockEntries); index <= last; index++) {
    if (refcounts.blockOffset(index) === 0) return index;
  }
  return undefined;
}

/**
 * Makes a block, or the table longer where it has no entry for one: ask again then. A block stands before the clusters
 * that it is made for: counted by the block before it, or by itself.
 */
export async function addBlock(context: GrowthContext, index: number, cluster: number): Promise<void> {
  const { refcounts, file, clusterSize } = context;
  if (index >= refcounts.tableEntries) return await growTable(context, index);
  await file.reach((cluster + 1) * clusterSize);
  file.takeFresh(cluster * clusterSize, clusterSize);
  refcounts.addBlock(index, cluster * clusterSize);
  await refcounts.take(cluster, 1);
}

/** A longer table at a new place, with room to spare; the old one is given back. */
async function growTable(context: GrowthContext, index: number): Promise<void> {
  const { refcounts, clusterSize, maxTableBytes } = context;
  const { table, tableEntries } = refcounts;
  const old = { at: table.at, length: table.view.byteLength };
  const bytes = roundUp(Math.max(tableEntries * 1.5, index + 1 + 8) * 8, clusterSize);
  if (bytes > maxTableBytes) {
    throw new DiskError(
      'ERR_LIMIT',
      `a refcount table of ${bytes} bytes, maxRefcountTableBytes allows ${maxTableBytes}`,
    );
  }
  refcounts.resizeTable(bytes / 8);
  let cluster: number;
  try {
    cluster = await context.take(bytes / clusterSize);
  } catch (error) {
    refcounts.resizeTable(tableEntries); // without a place the table cannot have them
    throw error;
  }
  refcounts.moveTable(cluster * clusterSize);
  context.give(Math.floor(old.at / clusterSize), Math.ceil(old.length / clusterSize));
}
