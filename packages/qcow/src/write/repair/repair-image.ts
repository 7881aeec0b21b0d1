import { DiskError, type RepairOptions, type RepairReport } from '@diskstack/core';
import { throwIfAborted } from '@diskstack/core/format';
import { type CountedImage, countReferences, countTables } from '../../check/check.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { INCOMPATIBLE } from '../../layout/feature-bits.ts';
import type { ClusterEntries } from '../metadata/cluster-entries.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { completeSnapshots, incompleteSnapshots } from '../snapshots/complete-snapshots.ts';
import { wrongCopiedBits } from './copied-fixes.ts';
import { differences } from './differences.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';
import { repairTables, type TableRepair } from './repair-tables.ts';
import { overflows, planUnsharing, unshareClusters } from './unshare.ts';

/** What a repair needs. */
export interface RepairContext {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  /** Records in the dirty bitmaps that guest bytes are about to change. */
  record(offset: number, length: number): Promise<void> | undefined;
}

/** One round of a repair, with the results of earlier rounds. */
interface Round {
  readonly options: RepairOptions;
  /** Whether entries of tables may be changed and dropped. */
  readonly repairsTables: boolean;
  readonly tableRepair?: TableRepair;
  readonly corruptionsFixed: number;
  /** Leaks that earlier rounds have fixed. */
  readonly leaksFixed?: number;
}

/**
 * Makes refcounts and COPIED bits agree with the references in the tables. `all` also repairs damaged tables first,
 * rebuilds unusable refcounts, and copies clusters that have more references than a refcount can count. A snapshot
 * whose L1 table cannot be read stays as it is. While a structure cannot be read, clusters that it may refer to are not
 * freed.
 *
 * Refcounts are raised first and lowered last. The image is marked clean when everything is on stable storage.
 */
export async function repairImage(context: RepairContext, options: RepairOptions): Promise<RepairReport> {
  return await repairRound(context, { options, repairsTables: true, corruptionsFixed: 0 });
}

/** Repairs the refcounts and COPIED bits of an image that was not closed cleanly, before its first change. */
export async function repairUnclosed(context: RepairContext): Promise<void> {
  await repairRound(context, { options: { fix: 'all' }, repairsTables: false, corruptionsFixed: 0 });
}

async function repairRound(context: RepairContext, round: Round): Promise<RepairReport> {
  const { state } = context;
  const { options, repairsTables } = round;
  const { fix, dryRun = false, signal } = options;
  const io = { signal };
  const fixesAll = fix === 'all';
  await flushMetadata(state);
  const counted = await countReferences(state.image, io, false);
  const { refcountDamage, counting } = counted;
  const incomplete = incompleteSnapshots(counted.snapshots, state.image).length;
  const tableDamage = counting.findings.repairable - incomplete;
  // Rebuilt refcounts would not count what a damaged snapshot refers to.
  const passed = refcountDamage > 0 ? 0 : counting.findings.ofSnapshots;
  refuseUnrepairable(counted, fixesAll, incomplete + passed + (repairsTables ? tableDamage : 0));
  if (fixesAll && tableDamage > 0) {
    const { size } = state.image.header;
    // The guest bytes of a dropped entry are not always known, so the bitmaps record a change of all bytes.
    const record = async (): Promise<void> => await context.record(0, size);
    const tableRepair = await repairTables(state, io, dryRun, record);
    const corruptionsFixed = round.corruptionsFixed + tableRepair.entries;
    if (!dryRun)
      return await repairRound(context, { ...round, repairsTables: false, tableRepair, corruptionsFixed });
    return reportOf(
      { ...round, tableRepair, corruptionsFixed: corruptionsFixed + refcountDamage + incomplete },
      0,
      0,
    );
  }
  if (refcountDamage > 0) {
    const corruptionsFixed = round.corruptionsFixed + refcountDamage;
    if (dryRun) return reportOf({ ...round, corruptionsFixed: corruptionsFixed + incomplete }, 0, 0);
    await rebuildRefcounts(state, context.guard, (await countTables(state.image, io, false)).counting);
    return await repairRound(context, { ...round, corruptionsFixed });
  }
  return await fixCounts(context, round, counted, incomplete);
}

async function fixCounts(
  context: RepairContext,
  round: Round,
  counted: CountedImage,
  incomplete: number,
): Promise<RepairReport> {
  const { state, guard, entries } = context;
  const { fix, dryRun = false, signal, onProgress } = round.options;
  const fixesAll = fix === 'all';
  // Only `all` drops entries that name clusters past the end of the file. As long as they stay, so do their refcounts.
  const { clusterSize } = state.image.geometry;
  const end = fixesAll ? Number.POSITIVE_INFINITY : Math.ceil(state.file.disk.size() / clusterSize);
  const found = await differences(state, counted, end);
  // Clusters that a lost table named look leaked, but may hold the only copy of its content.
  const keepsLeaks = round.tableRepair?.losesTables === true || counted.counting.findings.unread > 0;
  const leaked = keepsLeaks ? [] : found.leaked;
  const missing = fixesAll ? found.missing : [];
  const excess = fixesAll
    ? await overflows(counted.counting.counts, state.refcounts.max)
    : new Map<number, number>();
  const unsharing = excess.size > 0 ? await planUnsharing(state, excess, { signal }) : undefined;
  const copied = await wrongCopiedBits(state, entries, counted, {
    uncounted: fixesAll ? undefined : found.missing,
    shared: keepsLeaks ? found.leaked : [],
  });
  const fixed = missing.length + (fixesAll ? copied.toClear.length + copied.toSet.length + incomplete : 0);
  const kept = counted.counting.findings.unread > 0 || !keepsLeaks ? 0 : found.leaked.length;
  const corruptionsFixed = round.corruptionsFixed + fixed + (unsharing?.references ?? 0);
  const done = { ...round, corruptionsFixed };
  if (dryRun) return reportOf(done, leaked.length, kept);

  const steps = progressOf(missing.length + copied.toClear.length + copied.toSet.length + leaked.length, {
    signal,
    onProgress,
  });
  const { allocator, file } = state;
  await allocator.mutex.run(() => allocator.raise(missing, steps));
  await flushMetadata(state);
  if (unsharing !== undefined) {
    await unshareClusters(state, guard, unsharing, { signal });
    const corrected = round.corruptionsFixed + missing.length + unsharing.references;
    return await repairRound(context, { ...round, corruptionsFixed: corrected });
  }
  // COPIED is cleared before refcounts change to the values that require it, and set after them.
  await applyFixes(copied.toClear, steps);
  await flushMetadata(state);
  await file.barrier();
  await allocator.mutex.run(() => allocator.lower(leaked, steps));
  await flushMetadata(state);
  if (copied.toSet.length > 0) {
    await file.barrier();
    await applyFixes(copied.toSet, steps);
    await flushMetadata(state);
  }
  if (!fixesAll) return reportOf(done, leaked.length, kept);
  if (incomplete > 0) {
    // The old table gives its clusters back, and a damaged one may have counted those of others.
    await completeSnapshots(context, counted.snapshots);
    return await repairRound(context, { ...done, leaksFixed: (round.leaksFixed ?? 0) + leaked.length });
  }
  await clearMarks(state, counted.counting.findings.ofSnapshots > 0);
  return reportOf(done, leaked.length, kept);
}

/** Throws, before any change, when there is damage that this repair cannot fix. */
function refuseUnrepairable(
  { counting, refcountDamage }: CountedImage,
  fixesAll: boolean,
  repairable: number,
): void {
  const { corruptions, errors, unread, kept } = counting.findings;
  const [first] = kept;
  const { offset } = first ?? {};
  if (fixesAll) {
    if (corruptions + errors <= refcountDamage + repairable) return;
    throw new DiskError(
      'ERR_CORRUPT',
      `the tables of the image are damaged (${first?.message ?? ''}), and a repair cannot restore them; convert --salvage copies what can be read into a new image`,
      { offset },
    );
  }
  if (unread === 0 && errors === 0 && refcountDamage === 0) return;
  throw new DiskError(
    'ERR_CORRUPT',
    `nothing is given back: what looks leaked may be in use by a structure that cannot be read (${first?.message ?? ''})`,
    { offset },
  );
}

async function applyFixes(fixes: readonly (() => Promise<void>)[], step: () => void): Promise<void> {
  for (const fix of fixes) {
    await fix();
    step();
  }
}

function progressOf(
  total: number,
  { signal, onProgress }: Pick<RepairOptions, 'signal' | 'onProgress'>,
): () => void {
  let done = 0;
  return () => {
    throwIfAborted(signal);
    onProgress?.({ done: ++done, total });
  };
}

/** Clears the dirty bit, and the corrupt bit unless damage is left. */
async function clearMarks(state: ImageState, damageLeft: boolean): Promise<void> {
  const marks = damageLeft ? INCOMPATIBLE.dirty : INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt;
  const { file, image } = state;
  if ((image.header.incompatibleFeatures & marks) === 0n) return;
  await file.barrier();
  const incompatibleFeatures = image.header.incompatibleFeatures & ~marks;
  await state.writeHeader({ incompatibleFeatures });
  await file.barrier();
}

function reportOf(
  { corruptionsFixed, leaksFixed = 0, tableRepair }: Round,
  leaks: number,
  leaksKept: number,
): RepairReport {
  const losses = tableRepair?.losses ?? 0;
  return {
    leaksFixed: leaksFixed + leaks,
    corruptionsFixed,
    ...(tableRepair === undefined || losses === 0
      ? {}
      : { dropped: tableRepair.dropped, entriesDropped: losses }),
    ...(leaksKept === 0 ? {} : { leaksKept }),
  };
}
