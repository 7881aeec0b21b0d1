import { hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { has } from '../image/image.ts';
import { L2Entry, type L2Shape, NO_HOST } from '../layout/decoded-l2-entry.ts';
import { contradicts } from '../layout/extended-l2-entry.ts';
import { hasReservedL2Bits, hostClusterOffset, isCopied } from '../layout/l2-entry.ts';
import type { CopiedBits } from './copied-bits.ts';
import type { Counting } from './counting.ts';
import { plainRun } from './plain-run.ts';
import type { L2Visits } from './walk-l1.ts';

/** Bytes of a table handled before the loop yields to the event loop, if that is due. */
const BREATH = 32_768;

/** The statistics of `qemu-img check`. A cluster counts once for each reference in the active state. */
export class ClusterStatistics {
  allocated = 0;
  fragmented = 0;
  compressed = 0;
  #expected = 0;

  /** Begins a table: fragmentation is judged within one table. */
  startTable(): void {
    this.#expected = 0;
  }

  /** `count` clusters that follow each other, from byte `host` on. */
  stored(host: number, clusterSize: number, times: number, count = 1): void {
    this.allocated += count * times;
    if (this.#expected !== 0 && host !== this.#expected) this.fragmented += times;
    this.#expected = host + count * clusterSize;
  }

  /** A compressed cluster always counts as fragmented. */
  deflated(times: number): void {
    this.allocated += times;
    this.compressed += times;
    this.fragmented += times;
  }
}

/** Counts the references of L2 entries: each counts once for every L1 entry that names its table. */
export async function walkL2Tables(
  counting: Counting,
  visits: ReadonlyMap<number, L2Visits>,
  copiedBits: CopiedBits | undefined,
): Promise<ClusterStatistics> {
  const walker = new L2Walker(counting, copiedBits);
  const bytes = new Uint8Array(counting.clusterSize); // of each table in turn
  for (const [at, visit] of visits) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    if (at + counting.clusterSize > counting.image.file.size()) counting.findings.repairable++;
    const table = await counting.read(at, counting.clusterSize, 'an L2 table', bytes);
    if (table !== undefined) await walker.walk(table, at, visit);
  }
  return walker.statistics;
}

/** Where an entry is, and the words of it that hold flags. */
interface EntryWords {
  readonly hi: number;
  readonly lo: number;
  /** Byte of the entry in the image. */
  readonly at: number;
}

class L2Walker {
  readonly statistics = new ClusterStatistics();
  readonly #counting: Counting;
  readonly #copiedBits: CopiedBits | undefined;
  readonly #shape: L2Shape;
  readonly #entry = new L2Entry();

  constructor(counting: Counting, copiedBits: CopiedBits | undefined) {
    const { image } = counting;
    this.#counting = counting;
    this.#copiedBits = copiedBits;
    this.#shape = {
      geometry: image.geometry,
      version: image.header.version,
      extended: has(image, 'extendedL2'),
      external: has(image, 'externalDataFile'),
    };
  }

  async walk(table: DataView, tableAt: number, visit: L2Visits): Promise<void> {
    this.statistics.startTable();
    const { l2EntryBytes } = this.#shape.geometry;
    const fileEnd = this.#counting.image.file.size();
    let end = 0; // up to here without a breath
    for (let position = 0; position < table.byteLength; ) {
      if (position >= end) {
        const pause = breathe();
        if (pause !== undefined) await pause;
        end = Math.min(table.byteLength, position + BREATH);
      }
      const count = plainRun(table, position, end, this.#shape, fileEnd);
      const waiting =
        count > 0
          ? this.#plain(table, position, count, tableAt, visit)
          : this.#single(table, position, tableAt, visit);
      if (waiting !== undefined) await waiting;
      position += Math.max(1, count) * l2EntryBytes;
    }
  }

  /** Handles a run of plain entries. A promise only when a refcount has to be read. */
  #plain(
    table: DataView,
    position: number,
    count: number,
    tableAt: number,
    { total, active }: L2Visits,
  ): void | Promise<void> {
    const { counts, clusterSize } = this.#counting;
    const hi = table.getUint32(position);
    const host = hostClusterOffset(hi, table.getUint32(position + 4));
    const first = host / clusterSize;
    counts.add(first, first + count - 1, total);
    if (active === 0) return;
    this.statistics.stored(host, clusterSize, active, count);
    const entryAt = tableAt + position;
    const run = { host, copied: isCopied(hi), what: 'a cluster', entryAt, times: active };
    return this.#copiedBits?.checkRun(run, count, this.#shape.geometry.l2EntryBytes);
  }

  /** Handles any entry. A promise only when a refcount has to be read. */
  #single(table: DataView, position: number, tableAt: number, visit: L2Visits): void | Promise<void> {
    const hi = table.getUint32(position);
    const lo = table.getUint32(position + 4);
    if ((hi | lo) === 0 && !this.#shape.extended) return;
    this.#entry.decode(table, position, this.#shape); // each of its problems is a finding
    if ((hi | lo | this.#entry.allocated | this.#entry.zeroes) === 0) return;
    const words = { hi, lo, at: tableAt + position };
    if (this.#entry.stored === 0) return this.#standard(words, visit);
    this.#compressed(words, visit);
  }

  #compressed({ hi, at }: EntryWords, { total, active }: L2Visits): void {
    const { findings } = this.#counting;
    const { host, stored, allocated, zeroes } = this.#entry;
    if (isCopied(hi))
      findings.repairableCorruption('the COPIED bit is set for a compressed cluster', at, total);
    if (this.#shape.external) {
      findings.unread++;
      findings.repairableCorruption('a compressed cluster in an image with an external data file', at, total);
      return;
    }
    if ((zeroes | allocated) !== 0) {
      findings.unread++;
      findings.repairableCorruption('a compressed cluster with a sub-cluster bitmap', at, total);
      return;
    }
    this.#counting.referRepairable(host, stored, 'a compressed cluster', at, total);
    this.statistics.deflated(active);
  }

  /** Handles a standard descriptor. A promise only when a refcount has to be read. */
  #standard({ hi, lo, at }: EntryWords, { total, active }: L2Visits): void | Promise<void> {
    const { findings, clusterSize } = this.#counting;
    const { version, extended, external } = this.#shape;
    const { host, allocated } = this.#entry;
    if (hasReservedL2Bits(hi, lo, version >= 3 && !extended)) {
      findings.repairableCorruption(
        () => `reserved bits are set in an L2 entry (${hex(hi)} ${hex(lo)})`,
        at,
        total,
      );
    }
    if (host === NO_HOST) {
      if (allocated !== 0)
        findings.repairableCorruption(
          () => `sub-clusters ${hex(allocated)} are allocated nowhere`,
          at,
          total,
        );
      return;
    }
    this.#checkSound(at, total);
    if (!external) this.#counting.referRepairable(host, clusterSize, 'a cluster', at, total);
    if (active === 0) return;
    this.statistics.stored(host, clusterSize, active);
    const copied = { host, copied: isCopied(hi), what: 'a cluster', entryAt: at, times: active };
    if (external)
      this.#copiedBits?.judge(copied, 1); // a data file has no refcounts: each cluster is used once
    else return this.#copiedBits?.check(copied);
  }

  #checkSound(at: number, times: number): void {
    const { findings, clusterSize } = this.#counting;
    const { host, allocated, zeroes } = this.#entry;
    if (contradicts(allocated, zeroes)) {
      const message = (): string =>
        `sub-clusters are both allocated ${hex(allocated)} and zero ${hex(zeroes)}`;
      findings.repairableCorruption(message, at, times);
    }
    if (host % clusterSize === 0) return;
    const what = allocated === 0 ? 'a preallocated cluster' : 'a data cluster';
    findings.repairableCorruption(
      () => `${what} at byte ${hex(host)}, not a multiple of ${clusterSize}`,
      at,
      times,
    );
  }
}
