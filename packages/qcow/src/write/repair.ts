import { DiskError, type RepairOptions, type RepairReport, throwIfAborted } from '@diskstack/core';
import { type CountedImage, countReferences, countTables } from '../check/check.ts';
import { has } from '../image.ts';
import { INCOMPATIBLE } from '../layout/feature-bits.ts';
import type { Correction } from './allocator.ts';
import type { ClusterEntries } from './cluster-entries.ts';
import { commit, type WrittenImage } from './commit.ts';
import { writeHeaderFields } from './header-fields.ts';
import type { OverlapGuard } from './overlap-guard.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';

/** What a repair works on. */
export interface RepairContext {
  readonly written: WrittenImage;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
}

/**
 * Makes refcounts and COPIED bits agree with what the tables refer to. Refcounts that cannot be used are built anew. What is
 * wrong with the tables themselves cannot be put right by counting: then nothing is changed.
 *
 * Counts go up first and down last, and the image is marked clean when all of it is on stable storage.
 */
export async function repairImage(context: RepairContext, options: RepairOptions): Promise<RepairReport> {
  const { written, entries } = context;
  const { fix, dryRun = false, signal, onProgress } = options;
  await commit(written);
  const counted = await countReferences(written.image, { signal }, false);
  const { corruptions, errors, kept } = counted.counting.findings;
  const { refcountDamage } = counted;
  if (corruptions + errors > (fix === 'all' ? refcountDamage : 0)) {
    const [first] = kept;
    throw new DiskError(
      'ERR_CORRUPT',
      `the tables of the image are damaged (${first?.message ?? ''}); convert what can be read into a new image`,
      { offset: first?.offset },
    );
  }
  if (refcountDamage > 0) {
    if (dryRun) return { leaksFixed: 0, corruptionsFixed: refcountDamage };
    const { counting } = await countTables(written.image, { signal }, false);
    await rebuildRefcounts(written, context.guard, counting);
    const { leaksFixed, corruptionsFixed } = await repairImage(context, options);
    return { leaksFixed, corruptionsFixed: corruptionsFixed + refcountDamage };
  }
  const { missing, leaked } = await differences(written, counted);
  const fixesAll = fix === 'all';
  const copied = fixesAll ? await wrongCopiedBits(written, entries, counted) : [];
  const report = {
    leaksFixed: leaked.length,
    corruptionsFixed: fixesAll ? missing.length + copied.length : 0,
  };
  if (dryRun) return report;
  const total = missing.length + copied.length + leaked.length;
  let done = 0;
  const step = (): void => {
    throwIfAborted(signal);
    onProgress?.({ done: ++done, total });
  };
  const { allocator, file, image } = written;
  if (fixesAll) {
    await allocator.mutex.run(() => allocator.raise(missing, step));
    await commit(written);
    for (const fixBit of copied) {
      await fixBit();
      step();
    }
    await commit(written);
    await file.barrier();
  }
  await allocator.mutex.run(() => allocator.lower(leaked, step));
  await commit(written);
  const marks = INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt;
  if (!fixesAll || (image.header.incompatibleFeatures & marks) === 0n) return report;
  await file.barrier();
  const incompatibleFeatures = written.image.header.incompatibleFeatures & ~marks;
  written.image = await writeHeaderFields(file, written.image, { incompatibleFeatures });
  await file.barrier();
  return report;
}

/** Clusters whose refcount is too low, and too high. */
async function differences(
  { refcounts }: WrittenImage,
  { counting }: CountedImage,
): Promise<{ readonly missing: readonly Correction[]; readonly leaked: readonly Correction[] }> {
  const { counts } = counting;
  const missing: Correction[] = [];
  const leaked: Correction[] = [];
  for (const cluster of counts.referenced()) {
    const refcount = Math.min(counts.get(cluster), refcounts.max);
    if (refcount > (await refcounts.get(cluster))) missing.push({ cluster, refcount });
  }
  for (let index = 0; index < refcounts.tableEntries; index++) {
    const found = refcounts.block(index);
    const block = found instanceof Promise ? await found : found;
    if (block === undefined) continue;
    for (let entry = 0; entry < refcounts.blockEntries; entry++) {
      const stored = refcounts.at(block, entry);
      if (stored === 0) continue;
      const cluster = index * refcounts.blockEntries + entry;
      const refcount = counts.get(cluster);
      if (refcount < stored) leaked.push({ cluster, refcount });
    }
  }
  return { missing, leaked };
}

/** What puts each COPIED bit of the active state right that is not: set exactly where the refcount is to be one. */
async function wrongCopiedBits(
  { tables, image, file }: WrittenImage,
  entries: ClusterEntries,
  { counting }: CountedImage,
): Promise<readonly (() => Promise<void>)[]> {
  const { clusterSize, l2Entries, l2EntryBytes } = image.geometry;
  const external = file.dataFile !== undefined || has(image, 'externalDataFile');
  const fixes: (() => Promise<void>)[] = [];
  const isOne = (host: number): boolean => counting.counts.get(host / clusterSize) === 1;
  for (let l1Index = 0; l1Index < tables.entries; l1Index++) {
    const at = tables.tableOffset(l1Index);
    const shouldBe = at !== 0 && isOne(at);
    if (tables.isCopied(l1Index) !== shouldBe) {
      fixes.push(async () => tables.setEntry(l1Index, at, shouldBe));
    }
    if (at === 0) continue;
    const table = await tables.table(l1Index);
    if (table === undefined) continue;
    for (let index = 0; index < l2Entries; index++) {
      const entry = entries.read(table, index);
      if (entry.compressed !== undefined || entry.host === undefined) continue;
      const isAlone = external || isOne(entry.host);
      if (entries.isCopied(table, index) === isAlone) continue;
      fixes.push(async () => {
        const current = await tables.table(l1Index);
        if (current === undefined) return;
        entries.put(current, index, entry, isAlone);
        tables.l2.mark(current, index * l2EntryBytes, (index + 1) * l2EntryBytes);
      });
    }
  }
  return fixes;
}
