import { can, DiskError } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 256;

/**
 * Gives the space of free clusters back to the file system: of those that this writer has freed, because a refcount that was 0 before
 * may be wrong. Runs when nothing else is written any more. All metadata is on stable storage first, so it names none of them, also
 * after a crash.
 */
export async function giveSpaceBack(state: ImageState): Promise<void> {
  const { image, file, refcounts, allocator, problem } = state;
  const { disk } = file;
  if (problem !== undefined || !allocator.hasFreedAny || !can(disk, 'discard')) return;
  const { clusterSize } = image.geometry;
  const end = Math.floor(disk.size() / clusterSize);
  await flushMetadata(state);
  await file.barrier();
  let [first, next] = [0, 0]; // a run of free clusters
  let looked = 0;
  try {
    for (const cluster of allocator.freedClusters()) {
      if (looked++ % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      if (cluster >= end || (await refcounts.get(cluster)) !== 0) continue;
      if (cluster !== next) {
        if (first < next) await disk.discard(first * clusterSize, (next - first) * clusterSize);
        first = cluster;
      }
      next = cluster + 1;
    }
    if (first < next) await disk.discard(first * clusterSize, (next - first) * clusterSize);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error; // the image is complete, it only takes more space
  }
}
