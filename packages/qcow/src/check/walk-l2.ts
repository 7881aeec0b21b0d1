import { hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import { has } from '../image/image.ts';
import { L2Entry, type L2Shape, NO_HOST } from '../layout/decoded-l2-entry.ts';
import { contradicts } from '../layout/extended-l2-entry.ts';
import { hasReservedL2Bits, isCopied } from '../layout/l2-entry.ts';
import type { CopiedBits } from './copied-bits.ts';
import type { Counting } from './counting.ts';
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

  stored(host: number, clusterSize: number, times: number): void {
    this.allocated += times;
    if (this.#expected !== 0 && host !== this.#expected) this.fragmented += times;
    this.#expected = host + clusterSize;
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
  for (const [at, visit] of visits) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    if (at + counting.clusterSize > counting.image.file.size()) counting.findings.repairable++;
    const table = await counting.read(at, counting.clusterSize, 'an L2 table');
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
    for (let position = 0; position < table.byteLength; position += l2EntryBytes) {
      if (position % BREATH === 0) {
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
      this.#entry.decode(table, position, this.#shape); // each of its problems is a finding
      const hi = table.getUint32(position);
      const lo = table.getUint32(position + 4);
      if ((hi | lo | this.#entry.allocated | this.#entry.zeroes) === 0) continue;
      const words = { hi, lo, at: tableAt + position };
      if (this.#entry.stored !== 0) this.#compressed(words, visit);
      else {
        const waiting = this.#standard(words, visit);
        if (waiting !== undefined) await waiting;
      }
    }
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
