import { DiskError } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { CountedImage } from '../../check/check.ts';
import { has } from '../../image/image.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { ClusterEntries, ClusterEntry } from '../metadata/cluster-entries.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { Correction } from '../space/allocator.ts';

/** Fixes for wrong COPIED bits of the active state, judged by the repaired refcounts. */
export interface CopiedFixes {
  readonly toClear: readonly (() => Promise<void>)[];
  readonly toSet: readonly (() => Promise<void>)[];
}

/**
 * Finds the wrong COPIED bits of the active state. A bit is right when it is set exactly where the repaired refcount is
 * 1.
 *
 * @param uncounted clusters whose refcount is too low and stays so. When given, bits are only set, and not for these clusters
 * @param shared clusters whose refcount stays above the references that were found
 */
export async function wrongCopiedBits(
  { tables, image, file }: ImageState,
  entries: ClusterEntries,
  { counting }: CountedImage,
  {
    uncounted,
    shared,
  }: { readonly uncounted: readonly Correction[] | undefined; readonly shared: readonly Correction[] },
): Promise<CopiedFixes> {
  const { clusterSize, l2Entries, l2EntryBytes } = image.geometry;
  const external = file.dataFile !== undefined || has(image, 'externalDataFile');
  const toClear: (() => Promise<void>)[] = [];
  const toSet: (() => Promise<void>)[] = [];
  const tooLow = new Set(uncounted?.map(({ cluster }) => cluster));
  const add = (shouldBe: boolean, host: number, fix: () => Promise<void>): void => {
    if (uncounted !== undefined && (!shouldBe || tooLow.has(host / clusterSize))) return;
    (shouldBe ? toSet : toClear).push(fix);
  };
  const isShared = new Set(shared.map(({ cluster }) => cluster));
  const isOne = (host: number): boolean => {
    const cluster = host / clusterSize;
    return counting.counts.get(cluster) === 1 && !isShared.has(cluster);
  };
  for (let l1Index = 0; l1Index < tables.entries; l1Index++) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    const at = tables.tableOffset(l1Index);
    const shouldBe = at !== 0 && isOne(at);
    if (tables.isCopied(l1Index) !== shouldBe)
      add(shouldBe, at, async () => tables.setEntry(l1Index, at, shouldBe));
    if (at === 0) continue;
    const table = await tables.table(l1Index);
    if (table === undefined) continue;
    for (let index = 0; index < l2Entries; index++) {
      const entry = readIfSound(entries, table, index);
      if (entry === undefined || entry.compressed !== undefined || entry.host === undefined) continue;
      const isAlone = external || isOne(entry.host);
      if (entries.isCopied(table, index) === isAlone) continue;
      add(isAlone, entry.host, async () => {
        const current = await tables.table(l1Index);
        if (current === undefined) return;
        entries.put(current, index, entry, isAlone);
        tables.l2.mark(current, index * l2EntryBytes, (index + 1) * l2EntryBytes);
      });
    }
  }
  return { toClear, toSet };
}

/** Reads an entry; `undefined` when it contradicts itself, so that its bit cannot be judged. */
function readIfSound(entries: ClusterEntries, table: L2Table, index: number): ClusterEntry | undefined {
  try {
    return entries.read(table, index);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ERR_CORRUPT') return undefined;
    throw error;
  }
}
