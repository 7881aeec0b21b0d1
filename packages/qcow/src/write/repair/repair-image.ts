import { DiskError, type RepairOptions, type RepairReport, throwIfAborted } from '@diskstack/core';
import { type CountedImage, countReferences, countTables } from '../../check/check.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { INCOMPATIBLE } from '../../layout/feature-bits.ts';
import type { ClusterEntries } from '../metadata/cluster-entries.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { completeSnapshots, incompleteSnapshots } from '../snapshots/complete-snapshots.ts';
import { wrongCopiedBits } from './copied-fixes.ts';
import { differences } from './differences.ts';
import { type Mending, mendTables } from './mend-tables.ts';
import { overflows, partShared, planParting } from './part-shared.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';

/** What a repair works on. */
export interface RepairContext {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  /** Guest bytes are about to change: bitmaps record it. */
  record(offset: number, length: number): Promise<void> | undefined;
}

/** A repair under way, over its rounds. */
interface Round {
  readonly options: RepairOptions;
  /** Entries of tables may be changed, and dropped. */
  readonly mends: boolean;
  readonly mending?: Mending;
  readonly corruptionsFixed: number;
}

/**
 * Makes refcounts and COPIED bits agree with what the tables refer to. `all` puts the entries of damaged tables right
 * first, builds refcounts anew that cannot be used, and copies clusters that more entries name than can be counted. A
 * snapshot whose L1 table cannot be read stays as it is. Nothing is given back while a structure that may name it cannot
 * be read.
 *
 * Counts go up first and down last, and the image is marked clean when all of it is on stable storage.
 */
export async function repairImage(context: RepairContext, options: RepairOptions): Promise<RepairReport> {
  return await repairRound(context, { options, mends: true, corruptionsFixed: 0 });
}

/** What has to happen before the first change of an image that was not closed: refcounts and COPIED bits alone. */
export async function repairUnclosed(context: RepairContext): Promise<void> {
  await repairRound(context, { options: { fix: 'all' }, mends: false, corruptionsFixed: 0 });
}

async function repairRound(context: RepairContext, round: Round): Promise<RepairReport> {
  const { state } = context;
  const { options, mends } = round;
  const { fix, dryRun = false, signal } = options;
  const io = { signal };
  const fixesAll = fix === 'all';
  await flushMetadata(state);
  const counted = await countReferences(state.image, io, false);
  const { refcountDamage, counting } = counted;
  const incomplete = incompleteSnapshots(counted.snapshots, state.image).length;
  const tableDamage = counting.findings.mendable - incomplete;
  // Refcounts that are built anew would not count what a damaged snapshot refers to.
  const passed = refcountDamage > 0 ? 0 : counting.findings.ofSnapshots;
  refuseUnrepairable(counted, fixesAll, incomplete + passed + (mends ? tableDamage : 0));
  if (fixesAll && tableDamage > 0) {
    const { size } = state.image.header;
    // Which guest bytes a lost entry was about is not always known: bitmaps say that all of them have changed.
    const record = async (): Promise<void> => await context.record(0, size);
    const mending = await mendTables(state, io, dryRun, record);
    const corruptionsFixed = round.corruptionsFixed + mending.entries;
    if (!dryRun) return await repairRound(context, { ...round, mends: false, mending, corruptionsFixed });
    return reportOf(
      { ...round, mending, corruptionsFixed: corruptionsFixed + refcountDamage + incomplete },
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
  // Entries that name clusters past the end of the file are dropped by `all` alone: their counts stay as long as they do.
  const { clusterSize } = state.image.geometry;
  const end = fixesAll ? Number.POSITIVE_INFINITY : Math.ceil(state.file.disk.size() / clusterSize);
  const found = await differences(state, counted, end);
  // What a lost table named looks leaked, and is perhaps all that is left of it.
  const keepsLeaks = round.mending?.losesTables === true || counted.counting.findings.unread > 0;
  const leaked = keepsLeaks ? [] : found.leaked;
  const missing = fixesAll ? found.missing : [];
  const excess = fixesAll
    ? await overflows(counted.counting.counts, state.refcounts.max)
    : new Map<number, number>();
  const parting = excess.size > 0 ? await planParting(state, excess, { signal }) : undefined;
  const copied = await wrongCopiedBits(state, entries, counted, {
    uncounted: fixesAll ? undefined : found.missing,
    shared: keepsLeaks ? found.leaked : [],
  });
  const fixed = missing.length + (fixesAll ? copied.toClear.length + copied.toSet.length + incomplete : 0);
  const kept = counted.counting.findings.unread > 0 || !keepsLeaks ? 0 : found.leaked.length;
  const corruptionsFixed = round.corruptionsFixed + fixed + (parting?.references ?? 0);
  const done = { ...round, corruptionsFixed };
  if (dryRun) return reportOf(done, leaked.length, kept);

  const steps = progressOf(missing.length + copied.toClear.length + copied.toSet.length + leaked.length, {
    signal,
    onProgress,
  });
  const { allocator, file } = state;
  await allocator.mutex.run(() => allocator.raise(missing, steps));
  await flushMetadata(state);
  if (parting !== undefined) {
    await partShared(state, guard, parting, { signal });
    const corrected = round.corruptionsFixed + missing.length + parting.references;
    return await repairRound(context, { ...round, corruptionsFixed: corrected });
  }
  // A bit goes before the count that it goes with can be believed, and comes when the count is there.
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
  if (incomplete > 0) await completeSnapshots(context, counted.snapshots);
  await clearMarks(state, counted.counting.findings.ofSnapshots > 0);
  return reportOf(done, leaked.length, kept);
}

/** Damage that this repair cannot put right: nothing is changed then. */
function refuseUnrepairable(
  { counting, refcountDamage }: CountedImage,
  fixesAll: boolean,
  mendable: number,
): void {
  const { corruptions, errors, unread, kept } = counting.findings;
  const [first] = kept;
  const { offset } = first ?? {};
  if (fixesAll) {
    if (corruptions + errors <= refcountDamage + mendable) return;
    throw new DiskError(
      'ERR_CORRUPT',
      `the tables of the image are damaged (${first?.message ?? ''}), and no repair can tell what they said; convert --salvage gets what can be read into a new image`,
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

/** The image is clean; it stays marked corrupt where damage is left in it. */
async function clearMarks(state: ImageState, damageLeft: boolean): Promise<void> {
  const marks = damageLeft ? INCOMPATIBLE.dirty : INCOMPATIBLE.dirty | INCOMPATIBLE.corrupt;
  const { file, image } = state;
  if ((image.header.incompatibleFeatures & marks) === 0n) return;
  await file.barrier();
  const incompatibleFeatures = image.header.incompatibleFeatures & ~marks;
  await state.writeHeader({ incompatibleFeatures });
  await file.barrier();
}

function reportOf({ corruptionsFixed, mending }: Round, leaksFixed: number, leaksKept: number): RepairReport {
  const losses = mending?.losses ?? 0;
  return {
    leaksFixed,
    corruptionsFixed,
    ...(mending === undefined || losses === 0 ? {} : { dropped: mending.dropped, entriesDropped: losses }),
    ...(leaksKept === 0 ? {} : { leaksKept }),
  };
}
