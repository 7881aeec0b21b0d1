import { hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { hasReservedBits, refcountAt, refcountBlockOffset } from '../layout/refcount.ts';
import type { Counting } from './counting.ts';
import { PAGE } from './reference-counts.ts';
import type { StoredRefcounts } from './stored-refcounts.ts';

/** Clusters handled before the loop yields to the event loop, if that is due. */
const BREATH = 4096;

/** A page of clusters without a reference. */
const NO_REFERENCES = new Uint8Array(PAGE);

/** Counts the references of the refcount table and its blocks. */
export function referRefcounts(counting: Counting, { table }: StoredRefcounts): void {
  const { findings, clusterSize, image } = counting;
  const end = image.file.size();
  const tableBytes = table.entries * 8;
  counting.refer(table.at, tableBytes, 'the refcount table');
  for (let at = table.at; at < Math.min(table.at + tableBytes, end); at += clusterSize) {
    const references = counting.counts.get(at / clusterSize);
    if (references > 1) findings.corruption(sharedBy('the refcount table', at, references), at);
  }
  for (let entry = 0; entry < table.entries; entry++) {
    const lo = table.view.getUint32(entry * 8 + 4);
    const at = refcountBlockOffset(table.view.getUint32(entry * 8), lo);
    const entryAt = table.at + entry * 8;
    if (hasReservedBits(lo)) {
      findings.corruption('reserved bits are set in a refcount table entry', entryAt);
    } else if (at % clusterSize !== 0) {
      findings.corruption(
        () => `a refcount block at byte ${hex(at)}, not a multiple of ${clusterSize}`,
        entryAt,
      );
    } else if (at >= end) {
      findings.corruption(() => `a refcount block at byte ${hex(at)}, the file ends at ${hex(end)}`, entryAt);
    } else if (at !== 0) {
      counting.refer(at, clusterSize, 'a refcount block', entryAt);
      const references = counting.counts.get(at / clusterSize);
      if (references !== 1) findings.corruption(sharedBy('a refcount block', at, references), entryAt);
    }
  }
}

/**
 * The message for a shared cluster of a refcount structure. Every write changes these, so nothing else can share them.
 */
function sharedBy(what: string, at: number, references: number): () => string {
  return () => `${what} at byte ${hex(at)} is referred to ${references} times`;
}

/** Compares the stored refcount of every cluster of the file with its references. Returns the last cluster in use. */
export async function compareRefcounts(counting: Counting, stored: StoredRefcounts): Promise<number> {
  const { clusterSize, counts, image, io } = counting;
  const clusters = Math.max(Math.ceil(image.file.size() / clusterSize), counts.last + 1);
  const comparison = new Comparison(counting, stored);
  const compared = new Set<number>();
  for (let entry = 0; entry < stored.table.entries && entry * stored.blockEntries < clusters; entry++) {
    const first = entry * stored.blockEntries;
    const count = Math.min(stored.blockEntries, clusters - first);
    if (stored.isLost(entry)) {
      counting.findings.error(
        `the refcounts of clusters ${first} to ${first + count - 1} cannot be found`,
        stored.table.at + entry * 8,
        count,
      );
      continue;
    }
    const at = stored.blockAt(entry);
    // A block that several entries name is already a finding. Comparing it once bounds the work by the file.
    if (at === 0 || compared.has(at)) continue;
    compared.add(at);
    const block = await stored.block(entry, io);
    if (block === undefined) continue;
    for (let index = 0; index < count; index += BREATH) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      comparison.judgeBlock(block, first, index, Math.min(count, index + BREATH));
    }
  }
  for (const page of counts.pages()) {
    // A block has 64 entries at least, so a page of 128 clusters is counted by two blocks at most.
    if (!stored.hasNone(page) && !stored.hasNone(page + PAGE - 1)) continue;
    const pause = breathe();
    if (pause !== undefined) await pause;
    for (let cluster = page; cluster < page + PAGE; cluster++) {
      if (counts.get(cluster) !== 0 && stored.hasNone(cluster)) comparison.judge(cluster, 0);
    }
  }
  return comparison.last;
}

class Comparison {
  /** The last cluster in use. Cluster 0 holds the header. */
  last = 0;
  readonly #counting: Counting;
  readonly #stored: StoredRefcounts;

  constructor(counting: Counting, stored: StoredRefcounts) {
    this.#counting = counting;
    this.#stored = stored;
  }

  /** Judges the entries from `from` up to `to` of a refcount block. Its first entry is of cluster `first`. */
  judgeBlock(block: DataView, first: number, from: number, to: number): void {
    for (let cluster = first + from; cluster < first + to; ) {
      const end = Math.min(first + to, cluster - (cluster % PAGE) + PAGE);
      this.#judgePage(block, first, cluster, end);
      cluster = end;
    }
  }

  /** Judges clusters of one page. Equal counts are by far the most, and cost little. */
  #judgePage(block: DataView, first: number, from: number, end: number): void {
    const { refcountOrder } = this.#stored;
    const start = from - (from % PAGE);
    const page = this.#counting.counts.page(start) ?? NO_REFERENCES;
    for (let cluster = from; cluster < end; cluster++) {
      const refcount = refcountAt(block, cluster - first, refcountOrder);
      if (refcount !== page[cluster - start]) this.judge(cluster, refcount);
      else if (refcount !== 0 && cluster > this.last) this.last = cluster;
    }
  }

  judge(cluster: number, refcount: number): void {
    const { findings, counts, clusterSize } = this.#counting;
    let references = counts.get(cluster);
    if (refcount !== 0 || references !== 0) this.last = Math.max(this.last, cluster);
    const { max } = this.#stored;
    if (references > max) {
      const message = `cluster ${cluster} has ${references} references, its refcount can be ${max} at most`;
      findings.corruption(message, cluster * clusterSize, references - max);
      references = max;
    }
    if (refcount === references) return;
    const message = (): string => `cluster ${cluster} has refcount ${refcount}, ${references} references`;
    if (refcount < references) findings.corruption(message, cluster * clusterSize);
    else findings.leak(message, cluster * clusterSize);
  }
}
