import { breathe } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import type { Table } from '../file/dirty-tables.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { Refcounts } from '../space/refcounts.ts';

/**
 * Removes refcount blocks at the end of the file that count only themselves: without the block the refcounts are 0 as
 * well. The table is written without them first, then the file may be truncated.
 *
 * @param end number of the last cluster in use, plus one
 * @returns the same number after the change
 */
export async function dropEmptyBlocks(state: ImageState, guard: OverlapGuard, end: number): Promise<number> {
  const { refcounts, allocator, file } = state;
  const { clusterSize } = state.image.geometry;
  const owners = new Map<number, number>();
  for (let index = 0; index < refcounts.tableEntries; index++) {
    const at = refcounts.blockOffset(index);
    if (at !== 0) owners.set(at / clusterSize, index);
  }
  const dropped: number[] = [];
  let last = end;
  await allocator.mutex.run(async () => {
    for (;;) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      const cluster = last - 1;
      const index = owners.get(cluster);
      if (index === undefined || Math.floor(cluster / refcounts.blockEntries) !== index) return;
      const found = refcounts.block(index);
      const block = found instanceof Promise ? await found : found;
      if (block === undefined || !countsOnly(refcounts, block, cluster % refcounts.blockEntries)) return;
      refcounts.dropBlock(index, block);
      guard.drop(cluster);
      dropped.push(cluster);
      last = await lastInUse(state, cluster);
    }
  });
  if (dropped.length === 0) return end;
  await flushMetadata(state);
  await file.barrier();
  allocator.release(dropped);
  return last;
}

function countsOnly(refcounts: Refcounts, block: Table, own: number): boolean {
  for (let entry = 0; entry < refcounts.blockEntries; entry++) {
    if (refcounts.at(block, entry) !== (entry === own ? 1 : 0)) return false;
  }
  return true;
}

/** Number of the last cluster in use before `before`, plus one. */
async function lastInUse({ refcounts }: ImageState, before: number): Promise<number> {
  for (let cluster = before; cluster > 0; cluster--) {
    const found = refcounts.get(cluster - 1);
    if ((found instanceof Promise ? await found : found) !== 0) return cluster;
    if (cluster % 4096 === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
  }
  return 0;
}
