import type { WrittenImage } from './commit.ts';
import type { Refcounts } from './refcounts.ts';

/** Cuts off what the file has grown by, after the last cluster in use. */
export async function trimImage({ image, file, refcounts }: WrittenImage): Promise<void> {
  await file.trim((await endOfUse(refcounts)) * image.geometry.clusterSize);
}

/** Number of the last cluster in use, plus one. */
async function endOfUse(refcounts: Refcounts): Promise<number> {
  for (let index = refcounts.tableEntries - 1; index >= 0; index--) {
    const found = refcounts.block(index);
    const block = found instanceof Promise ? await found : found;
    if (block === undefined) continue;
    for (let entry = refcounts.blockEntries - 1; entry >= 0; entry--) {
      if (refcounts.at(block, entry) !== 0) return index * refcounts.blockEntries + entry + 1;
    }
  }
  return 0;
}
