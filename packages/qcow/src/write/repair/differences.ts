import { breathe } from '@diskstack/core/format';
import type { CountedImage } from '../../check/check.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { Correction } from '../space/allocator.ts';

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 4096;

/**
 * Finds the clusters whose refcount is too low, and those whose refcount is too high.
 *
 * @param end clusters from this one on never count as leaked
 */
export async function differences(
  { refcounts }: ImageState,
  { counting }: CountedImage,
  end: number,
): Promise<{ readonly missing: readonly Correction[]; readonly leaked: readonly Correction[] }> {
  const { counts } = counting;
  const missing: Correction[] = [];
  const leaked: Correction[] = [];
  let looked = 0;
  for (const cluster of counts.referenced()) {
    if (looked++ % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const refcount = Math.min(counts.get(cluster), refcounts.max);
    const stored = refcounts.get(cluster);
    if (refcount > (stored instanceof Promise ? await stored : stored)) missing.push({ cluster, refcount });
  }
  for (let index = 0; index < refcounts.tableEntries; index++) {
    const found = refcounts.block(index);
    const block = found instanceof Promise ? await found : found;
    if (block === undefined) continue;
    for (let entry = 0; entry < refcounts.blockEntries; entry++) {
      if (entry % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      const stored = refcounts.at(block, entry);
      if (stored === 0) continue;
      const cluster = index * refcounts.blockEntries + entry;
      if (cluster >= end) break;
      const refcount = counts.get(cluster);
      if (refcount < stored) leaked.push({ cluster, refcount });
    }
  }
  return { missing, leaked };
}
