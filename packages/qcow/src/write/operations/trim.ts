import { DiskError } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { Refcounts } from '../space/refcounts.ts';
import { dropEmptyBlocks } from './drop-blocks.ts';
import { type EndContext, moveDown } from './move-down.ts';

/** Metadata is moved at most this often. */
const ROUNDS = 4;

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 4096;

/**
 * Truncates the file after the last cluster in use. Clusters that the file had when it was opened are cut only when
 * this writer freed them: a refcount that was 0 before may be wrong.
 */
export async function trimImage(context: EndContext): Promise<void> {
  const { state, guard } = context;
  const { image, file, refcounts, allocator } = state;
  if (state.problem !== undefined) return;
  let end = await endOfUse(refcounts);
  if (end === undefined) return;
  if (allocator.hasFreedAny && file.canGrow) {
    end = await dropEmptyBlocks(state, guard, end);
    // Moved metadata leaves empty refcount blocks behind.
    for (let round = 0; round < ROUNDS && (await moveDown(context, end)); round++)
      end = await dropEmptyBlocks(state, guard, (await endOfUse(refcounts)) ?? end);
  }
  await file.trim(end * image.geometry.clusterSize, (cluster) => allocator.hasFreed(cluster));
}

/** Number of the last cluster in use, plus one; `undefined` when the refcounts are damaged. */
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
