import { hex } from '@diskstack/core';
import { contradicts } from '../layout/extended-l2-entry.ts';
import { INCOMPATIBLE } from '../layout/feature-bits.ts';
import {
  compressedBytes,
  compressedOffset,
  hasReservedL2Bits,
  hasZeroFlag,
  hostClusterOffset,
  isCompressed,
  isCopied,
} from '../layout/l2-entry.ts';
import type { Counting } from './counting.ts';
import type { L2Visits } from './walk-l1.ts';

/** What the walk tells of guest clusters, as `qemu-img check` does. */
export class ClusterStatistics {
  allocated = 0;
  fragmented = 0;
  compressed = 0;
  #expected = 0;

  stored(host: number, clusterSize: number): void {
    this.allocated++;
    if (this.#expected !== 0 && host !== this.#expected) this.fragmented++;
    this.#expected = host + clusterSize;
  }

  /** A compressed cluster is never next to its neighbour. */
  deflated(): void {
    this.allocated++;
    this.compressed++;
    this.fragmented++;
  }
}

/** An entry whose COPIED bit is held against the refcount, once all is counted. */
export type CopiedCheck = (
  host: number,
  copied: boolean,
  what: string,
  entryAt: number,
) => void | Promise<void>;

/** Counts what the entries of L2 tables refer to, each as often as its table is named. */
export async function walkL2Tables(
  counting: Counting,
  visits: ReadonlyMap<number, L2Visits>,
  checkCopied: CopiedCheck,
): Promise<ClusterStatistics> {
  const statistics = new ClusterStatistics();
  const walker = new L2Walker(counting, statistics, checkCopied);
  for (const [at, visit] of visits) {
    const table = await counting.read(at, counting.clusterSize, 'an L2 table');
    if (table !== undefined) await walker.walk(table, at, visit);
  }
  return statistics;
}

class L2Walker {
  readonly #counting: Counting;
  readonly #statistics: ClusterStatistics;
  readonly #checkCopied: CopiedCheck;
  readonly #extended: boolean;
  readonly #external: boolean;
  readonly #hasZeroBit: boolean;

  constructor(counting: Counting, statistics: ClusterStatistics, checkCopied: CopiedCheck) {
    const { incompatibleFeatures: features, version } = counting.image.header;
    this.#counting = counting;
    this.#statistics = statistics;
    this.#checkCopied = checkCopied;
    this.#extended = (features & INCOMPATIBLE.extendedL2) !== 0n;
    this.#external = (features & INCOMPATIBLE.externalDataFile) !== 0n;
    this.#hasZeroBit = version >= 3 && !this.#extended;
  }

  async walk(table: DataView, tableAt: number, visit: L2Visits): Promise<void> {
    const entryBytes = this.#extended ? 16 : 8;
    for (let position = 0; position < table.byteLength; position += entryBytes) {
      const hi = table.getUint32(position);
      const lo = table.getUint32(position + 4);
      const zero = this.#extended ? table.getUint32(position + 8) : 0;
      const allocation = this.#extended ? table.getUint32(position + 12) : 0;
      if ((hi | lo | zero | allocation) === 0) continue;
      if (isCompressed(hi)) this.#compressed(hi, lo, zero | allocation, tableAt + position, visit);
      else await this.#standard(hi, lo, zero, allocation, tableAt + position, visit);
    }
  }

  #compressed(hi: number, lo: number, bitmap: number, entryAt: number, visit: L2Visits): void {
    const { findings, image } = this.#counting;
    const { clusterBits } = image.geometry;
    if (isCopied(hi)) findings.corruption('the COPIED bit is set for a compressed cluster', entryAt);
    if (this.#external)
      findings.corruption('a compressed cluster in an image with an external data file', entryAt);
    if (bitmap !== 0) findings.corruption('a compressed cluster with a sub-cluster bitmap', entryAt);
    const at = compressedOffset(hi, lo, clusterBits);
    this.#counting.refer(
      at,
      compressedBytes(hi, lo, clusterBits),
      'a compressed cluster',
      entryAt,
      visit.total,
    );
    for (let times = 0; times < Math.min(visit.active, 1); times++) this.#statistics.deflated();
  }

  async #standard(
    hi: number,
    lo: number,
    zero: number,
    allocation: number,
    entryAt: number,
    visit: L2Visits,
  ): Promise<void> {
    const { findings, clusterSize } = this.#counting;
    if (hasReservedL2Bits(hi, lo, this.#hasZeroBit)) {
      findings.corruption(`reserved bits are set in an L2 entry (${hex(hi)} ${hex(lo)})`, entryAt);
    }
    if (contradicts(allocation, zero)) {
      findings.corruption(
        `sub-clusters are both allocated ${hex(allocation)} and zero ${hex(zero)}`,
        entryAt,
      );
    }
    const host = hostClusterOffset(hi, lo);
    if (host === 0 && !(this.#external && isCopied(hi))) {
      if (allocation !== 0)
        findings.corruption(`sub-clusters ${hex(allocation)} are allocated nowhere`, entryAt);
      return;
    }
    if (host % clusterSize !== 0) {
      const isData = this.#extended ? allocation !== 0 : !hasZeroFlag(lo);
      const what = isData ? 'a data cluster' : 'a preallocated cluster';
      findings.corruption(`${what} at byte ${hex(host)}, not a multiple of ${clusterSize}`, entryAt);
      return;
    }
    if (visit.active > 0) this.#statistics.stored(host, clusterSize);
    if (this.#external) return; // clusters of a data file have no refcounts
    this.#counting.refer(host, clusterSize, 'a cluster', entryAt, visit.total);
    if (visit.active > 0) await this.#checkCopied(host, isCopied(hi), 'a cluster', entryAt);
  }
}
