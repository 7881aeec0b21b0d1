import { DiskError, type DiskModule } from '@diskstack/core';
import type { MaybePromise, PlacedPart } from '@diskstack/core/format';
import type { Geometry } from '../../layout/geometry.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import { type ClusterEntries, type ClusterEntry, NO_CLUSTER } from '../metadata/cluster-entries.ts';
import type { TakenRun } from '../space/allocator.ts';

/** What a write does to one cluster, or to a run of whole clusters that have no entry yet. */
export interface ClusterPlan {
  /** Index of its entry, or of the first one. */
  readonly index: number;
  /** Clusters. */
  readonly count: number;
  /** Guest bytes that are written. */
  readonly from: number;
  readonly to: number;
  readonly old: ClusterEntry;
  /** The cluster needs a new host cluster. */
  readonly isNew: boolean;
  /** All of the old content is copied to the new host cluster, because the old one is shared or compressed. */
  readonly whole: boolean;
}

/** What planning needs to know about the image. */
export interface PlanContext {
  readonly geometry: Geometry;
  readonly entries: ClusterEntries;
  readonly external: boolean;
  readonly base: DiskModule | undefined;
  /** The refcount of a host cluster, by its number. */
  readonly refcount: (cluster: number) => MaybePromise<number>;
}

/**
 * Plans the write of guest bytes `from` to `to`, which one L2 table maps: one plan for each run of whole clusters without an entry,
 * which is what a new image consists of, and one for each other cluster.
 */
export async function planClusters(
  context: PlanContext,
  table: L2Table,
  from: number,
  to: number,
): Promise<readonly ClusterPlan[]> {
  const { entries, external } = context;
  const { clusterSize, l2Entries } = context.geometry;
  const plans: ClusterPlan[] = [];
  for (let offset = from; offset < to; ) {
    const number = Math.floor(offset / clusterSize);
    const index = number % l2Entries;
    const whole = offset % clusterSize === 0 ? Math.floor((to - offset) / clusterSize) : 0;
    const count = entries.unusedFrom(table, index, whole);
    if (count > 0) {
      const end = offset + count * clusterSize;
      plans.push({ index, count, from: offset, to: end, old: NO_CLUSTER, isNew: true, whole: false });
      offset = end;
      continue;
    }
    const end = Math.min(to, (number + 1) * clusterSize);
    const old = entries.read(table, index);
    const owned = old.host !== undefined && (external || isOwned(context, old.host));
    const isOwn = owned instanceof Promise ? await owned : owned; // avoids a promise for each cluster
    const copiesAll = !isOwn && (old.compressed !== undefined || old.allocated !== 0);
    plans.push({ index, count: 1, from: offset, to: end, old, isNew: !isOwn, whole: copiesAll });
    offset = end;
  }
  return plans;
}

/**
 * Whether a host cluster may be overwritten: its refcount is 1. qcow2 spec, "Standard Cluster Descriptor". A promise
 * only when the refcount has to be read.
 */
export function isOwned({ geometry, refcount }: PlanContext, host: number): MaybePromise<boolean> {
  const count = refcount(host / geometry.clusterSize);
  return typeof count === 'number' ? isOne(count, host) : count.then((found) => isOne(found, host));
}

function isOne(count: number, host: number): boolean {
  if (count > 0) return count === 1;
  throw new DiskError('ERR_CORRUPT', 'a cluster in use has refcount 0; repair the image before writing', {
    offset: host,
  });
}

/** A plan with its host cluster, old or new, or with the first of contiguous ones. */
export interface PlacedCluster extends ClusterPlan {
  readonly host: number;
  /** The host clusters have never been written, and read as zeroes. */
  readonly isFresh: boolean;
}

/** Assigns the next allocated clusters to each plan that needs some. Splits a plan whose clusters are in several runs. */
export function placeClusters(
  context: PlanContext,
  plans: readonly ClusterPlan[],
  runs: readonly TakenRun[],
): readonly PlacedCluster[] {
  const { clusterSize } = context.geometry;
  const placed: PlacedCluster[] = [];
  let run = 0;
  let used = 0; // clusters of that run
  for (const plan of plans) {
    if (!plan.isNew) {
      placed.push({ ...plan, host: plan.old.host ?? 0, isFresh: false });
      continue;
    }
    for (let done = 0; done < plan.count; ) {
      const { cluster, count, isFresh } = runs[run] as TakenRun; // as many clusters are allocated as the plans need
      const part = Math.min(plan.count - done, count - used);
      const host = (cluster + used) * clusterSize;
      const from = plan.from + done * clusterSize;
      const to = Math.min(plan.to, from + part * clusterSize);
      placed.push({ ...plan, index: plan.index + done, count: part, from, to, host, isFresh });
      done += part;
      used += part;
      if (used < count) continue;
      run++;
      used = 0;
    }
  }
  return placed;
}

/** The parts to write; adjacent parts are merged. `encrypted`: zeroes in the file do not read as zeroes. */
export function partsOf(
  context: PlanContext,
  clusters: readonly PlacedCluster[],
  encrypted: boolean,
): readonly PlacedPart[] {
  const { clusterSize } = context.geometry;
  const parts: PlacedPart[] = [];
  for (const cluster of clusters) {
    const { from, to, host } = cluster;
    const start = from - (from % clusterSize);
    const part = {
      offset: from,
      length: to - from,
      at: host + from - start,
      ...fill(context, cluster, encrypted),
    };
    const last = parts.at(-1);
    if (last !== undefined && last.at + last.length === part.at && last.after + part.before === 0) {
      parts[parts.length - 1] = { ...last, length: last.length + part.length, after: part.after };
    } else {
      parts.push(part);
    }
  }
  return parts;
}

/** The bytes on both sides that must be copied: up to the ends of the units, or of the cluster. */
function fill(
  { geometry, entries, base }: PlanContext,
  { from, to, old, whole, isFresh }: PlacedCluster,
  encrypted: boolean,
): { readonly before: number; readonly after: number } {
  const { clusterSize } = geometry;
  const start = from - (from % clusterSize);
  if (whole) return { before: from - start, after: start + clusterSize - to };
  const { unitSize } = entries;
  const side = (inCluster: number, length: number): number => {
    if (length === 0) return 0;
    const unit = entries.mask(inCluster, inCluster + 1);
    if ((old.allocated & unit) !== 0) return 0;
    const isZero =
      (old.zeroes & unit) !== 0 ||
      base === undefined ||
      base.size() <= start + inCluster - (inCluster % unitSize);
    return isZero && isFresh && !encrypted ? 0 : length;
  };
  const [first, end] = [from - start, to - start];
  return {
    before: side(first, first % unitSize),
    after: side(end - 1, (unitSize - (end % unitSize)) % unitSize),
  };
}
