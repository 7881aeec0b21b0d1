import { can, DiskError } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';

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
  try {
    for (const cluster of allocator.freedClusters()) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      const found = refcounts.get(cluster);
      const refcount = found instanceof Promise ? await found : found;
      if (cluster >= end || refcount !== 0) continue;
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
