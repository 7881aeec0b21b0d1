import type { Limits } from '@diskstack/core';
import { limitError, roundUp } from '@diskstack/core/format';
import type { ImageFile } from '../file/image-file.ts';
import type { Refcounts } from './refcounts.ts';

/** What growing the refcounts needs. */
export interface GrowthContext {
  readonly refcounts: Refcounts;
  readonly file: ImageFile;
  readonly clusterSize: number;
  readonly limits: Limits;
  /** Allocates contiguous clusters and returns the number of the first. */
  take(count: number): Promise<number>;
  /** Gives clusters back. */
  give(first: number, count: number): void;
}

/** Index of the first refcount block that these clusters need and that does not exist; `undefined` when all exist. */
export function missingBlock(refcounts: Refcounts, first: number, count: number): number | undefined {
  const { blockEntries } = refcounts;
  const last = Math.floor((first + count - 1) / blockEntries);
  for (let index = Math.floor(first / blockEntries); index <= last; index++) {
    if (refcounts.blockOffset(index) === 0) return index;
  }
  return undefined;
}

/**
 * Makes the refcount block `index` at `cluster`. When the table has no entry for it, makes the table longer instead:
 * the caller asks again. The block is counted by the block before it, or by itself.
 */
export async function addBlock(context: GrowthContext, index: number, cluster: number): Promise<void> {
  const { refcounts, file, clusterSize } = context;
  if (index >= refcounts.tableEntries) return await growTable(context, index);
  await file.reach((cluster + 1) * clusterSize);
  file.takeFresh(cluster * clusterSize, clusterSize);
  refcounts.addBlock(index, cluster * clusterSize);
  await refcounts.take(cluster, 1);
}

/** Makes a longer table at a new place, with spare entries, and gives the old one back. */
async function growTable(context: GrowthContext, index: number): Promise<void> {
  const { refcounts, clusterSize, limits } = context;
  const { table, tableEntries } = refcounts;
  const old = { at: table.at, length: tableEntries * 8 };
  const bytes = roundUp(Math.max(tableEntries * 1.5, index + 1 + 8) * 8, clusterSize);
  if (bytes > limits.maxRefcountTableBytes)
    throw limitError('maxRefcountTableBytes', limits, `a refcount table of ${bytes} bytes`);
  table.resize(bytes / 8);
  let cluster: number;
  try {
    cluster = await context.take(bytes / clusterSize);
  } catch (error) {
    table.resize(tableEntries); // the longer table has no place
    throw error;
  }
  refcounts.moveTable(cluster * clusterSize);
  context.give(Math.floor(old.at / clusterSize), Math.ceil(old.length / clusterSize));
}
