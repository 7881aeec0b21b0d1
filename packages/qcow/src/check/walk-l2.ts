import { breathe, hex } from '@diskstack/core';
import { has } from '../image/image.ts';
import { contradicts } from '../layout/extended-l2-entry.ts';
import {
  compressedBytes,
  compressedOffset,
  hasReservedL2Bits,
  hasZeroFlag,
  hostClusterOffset,
  isCompressed,
  isCopied,
} from '../layout/l2-entry.ts';
import type { CopiedBits } from './copied-bits.ts';
import type { Counting } from './counting.ts';
import type { L2Visits } from './walk-l1.ts';

/** Bytes of a table between two looks at the clock. */
const BREATH = 32_768;

/** What the walk tells of guest clusters, as `qemu-img check` does: as often as the active state names them. */
export class ClusterStatistics {
  allocated = 0;
  fragmented = 0;
  compressed = 0;
  #expected = 0;

  /** Clusters of one table stand next to each other, or do not; those of two tables are not compared. */
  startTable(): void {
    this.#expected = 0;
  }

  stored(host: number, clusterSize: number, times: number): void {
    this.allocated += times;
    if (this.#expected !== 0 && host !== this.#expected) this.fragmented += times;
    this.#expected = host + clusterSize;
  }

  /** A compressed cluster is never next to its neighbour. */
  deflated(times: number): void {
    this.allocated += times;
    this.compressed += times;
    this.fragmented += times;
  }
}

/** Counts what the entries of L2 tables refer to, each as often as its table is named. */
export async function walkL2Tables(
  counting: Counting,
  visits: ReadonlyMap<number, L2Visits>,
  copiedBits: CopiedBits | undefined,
): Promise<ClusterStatistics> {
  const walker = new L2Walker(counting, copiedBits);
  for (const [at, visit] of visits) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    if (at + counting.clusterSize > counting.image.file.size()) counting.findings.mendable++;
    const table = await counting.read(at, counting.clusterSize, 'an L2 table');
    if (table !== undefined) await walker.walk(table, at, visit);
  }
  return walker.statistics;
}

/** An L2 entry, taken apart as far as both kinds of entries have the same parts. */
interface Entry {
  readonly hi: number;
  readonly lo: number;
  /** The sub-clusters that read as zeroes, and that are allocated; none where the entry has no bitmap. */
  readonly zero: number;
  readonly allocation: number;
  /** Byte of the entry in the image. */
  readonly at: number;
}

class L2Walker {
  readonly statistics = new ClusterStatistics();
  readonly #counting: Counting;
  readonly #copiedBits: CopiedBits | undefined;
  readonly #extended: boolean;
  readonly #external: boolean;
  readonly #hasZeroBit: boolean;

  constructor(counting: Counting, copiedBits: CopiedBits | undefined) {
    const { image } = counting;
    this.#counting = counting;
    this.#copiedBits = copiedBits;
    this.#extended = has(image, 'extendedL2');
    this.#external = has(image, 'externalDataFile');
    this.#hasZeroBit = image.header.version >= 3 && !this.#extended;
  }

  async walk(table: DataView, tableAt: number, visit: L2Visits): Promise<void> {
    this.statistics.startTable();
    const entryBytes = this.#extended ? 16 : 8;
    for (let position = 0; position < table.byteLength; position += entryBytes) {
      if (position % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      const hi = table.getUint32(position);
      const lo = table.getUint32(position + 4);
      const zero = this.#extended ? table.getUint32(position + 8) : 0;
      const allocation = this.#extended ? table.getUint32(position + 12) : 0;
      if ((hi | lo | zero | allocation) === 0) continue;
      const entry = { hi, lo, zero, allocation, at: tableAt + position };
      if (isCompressed(hi)) this.#compressed(entry, visit);
      else {
        const waiting = this.#standard(entry, visit);
        if (waiting !== undefined) await waiting;
      }
    }
  }

  #compressed({ hi, lo, zero, allocation, at }: Entry, { total, active }: L2Visits): void {
    const { findings, image } = this.#counting;
    const { clusterBits } = image.geometry;
    if (isCopied(hi))
      findings.mendableCorruption('the COPIED bit is set for a compressed cluster', at, total);
    if (this.#external) {
      findings.unread++;
      findings.mendableCorruption('a compressed cluster in an image with an external data file', at, total);
      return;
    }
    if ((zero | allocation) !== 0) {
      findings.unread++;
      findings.mendableCorruption('a compressed cluster with a sub-cluster bitmap', at, total);
      return;
    }
    const host = compressedOffset(hi, lo, clusterBits);
    const stored = compressedBytes(hi, lo, clusterBits);
    this.#counting.referMendably(host, stored, 'a compressed cluster', at, total);
    this.statistics.deflated(active);
  }

  /** A promise only where a refcount has to be read first. */
  #standard(entry: Entry, { total, active }: L2Visits): void | Promise<void> {
    const { hi, lo, allocation, at } = entry;
    const { findings, clusterSize } = this.#counting;
    if (hasReservedL2Bits(hi, lo, this.#hasZeroBit)) {
      findings.mendableCorruption(
        () => `reserved bits are set in an L2 entry (${hex(hi)} ${hex(lo)})`,
        at,
        total,
      );
    }
    const host = hostClusterOffset(hi, lo);
    if (this.#isNowhere(entry, host)) {
      if (allocation !== 0)
        findings.mendableCorruption(() => `sub-clusters ${hex(allocation)} are allocated nowhere`, at, total);
      return;
    }
    this.#checkSound(entry, host, total);
    if (!this.#external) this.#counting.referMendably(host, clusterSize, 'a cluster', at, total);
    if (active === 0) return;
    this.statistics.stored(host, clusterSize, active);
    const copied = { host, copied: isCopied(hi), what: 'a cluster', entryAt: at, times: active };
    if (this.#external)
      this.#copiedBits?.judge(copied, 1); // no refcounts there: each is used once
    else return this.#copiedBits?.check(copied);
  }

  /** An entry without a cluster. Offset 0 of an external data file is a place, and COPIED tells. */
  #isNowhere({ hi, lo }: Entry, host: number): boolean {
    const isPlainZero = this.#hasZeroBit && hasZeroFlag(lo);
    return host === 0 && !(this.#external && isCopied(hi) && !isPlainZero);
  }

  #checkSound({ lo, zero, allocation, at }: Entry, host: number, times: number): void {
    const { findings, clusterSize } = this.#counting;
    if (contradicts(allocation, zero)) {
      const message = (): string =>
        `sub-clusters are both allocated ${hex(allocation)} and zero ${hex(zero)}`;
      findings.mendableCorruption(message, at, times);
    }
    if (host % clusterSize === 0) return;
    const isData = this.#extended ? allocation !== 0 : !hasZeroFlag(lo);
    const what = isData ? 'a data cluster' : 'a preallocated cluster';
    findings.mendableCorruption(
      () => `${what} at byte ${hex(host)}, not a multiple of ${clusterSize}`,
      at,
      times,
    );
  }
}
