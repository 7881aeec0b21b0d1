import { breathe, DiskError } from '@diskstack/core';
import type { WrittenImage } from './commit.ts';
import type { Refcounts } from './refcounts.ts';

/** Clusters between two looks at the clock. */
const BREATH = 4096;

/**
 * Cuts the file off after the last cluster in use. Of what the file had when it was opened only clusters go that this
 * writer has freed: a refcount that was 0 before may be wrong, and the cluster in use.
 */
export async function trimImage({ image, file, refcounts, allocator }: WrittenImage): Promise<void> {
  const end = await endOfUse(refcounts);
  if (end === undefined) return;
  await file.trim(end * image.geometry.clusterSize, (cluster) => allocator.hasFreed(cluster));
}

/** Number of the last cluster in use, plus one; `undefined` where refcounts are damaged and nothing is known. */
async function endOfUse(refcounts: Refcounts): Promise<number | undefined> {
  try {
    for (let index = refcounts.tableEntries - 1; index >= 0; index--) {
      const found = refcounts.block(index);
      const block = found instanceof Promise ? await found : found;
      if (block === undefined) continue;
      for (let entry = refcounts.blockEntries - 1; entry >= 0; entry--) {
        if (entry % BREATH === 0) {
          const pause = breathe();
          if (pause !== undefined) await pause;
        }
        if (refcounts.at(block, entry) !== 0) return index * refcounts.blockEntries + entry + 1;
      }
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return undefined;
  }
  return 0;
}
