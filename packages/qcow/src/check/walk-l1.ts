import { hex } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { MetadataKind } from '../image/overlap-guard.ts';
import { hasReservedL1Bits, l2TableOffset } from '../layout/l1-entry.ts';
import { snapshotL1Problem } from '../snapshots/l1-bounds.ts';
import type { Counting } from './counting.ts';

/** Bytes of a table handled before the loop yields to the event loop, if that is due. */
const BREATH = 32_768;

/** An L1 table to walk: the active one, or a snapshot's. */
export interface L1Place {
  readonly at: number;
  readonly entries: number;
  readonly isActive: boolean;
  readonly what: string;
}

/** How many L1 entries name an L2 table. Each of its entries counts as often. */
export interface L2Visits {
  /** By all L1 tables. */
  total: number;
  /** By the active one. */
  active: number;
  /** Byte of the first L1 entry that names it. */
  readonly entryAt: number;
}

/**
 * Counts the references of the header to L1 tables, and of these to L2 tables. An L2 table is walked once, however many
 * entries name it: the work is bounded by the size of the file.
 *
 * @returns the L2 tables by their byte, in the order of their first entry
 */
export async function walkL1Tables(
  counting: Counting,
  places: readonly L1Place[],
): Promise<Map<number, L2Visits>> {
  const { findings, image } = counting;
  const visits = new Map<number, L2Visits>();
  let bytesLeft = image.file.size();
  for (const place of places) {
    const { at, entries, isActive, what } = place;
    const length = entries * 8;
    const problem = l1Problem(counting, place);
    if (problem !== undefined) {
      findings.unread++;
      findings.corruption(`${what} ${problem}`, at);
      if (!isActive) findings.ofSnapshots++;
      continue;
    }
    if (length === 0) continue;
    counting.refer(at, length, what);
    counting.metadata.claim(kindOf(place), at, length);
    bytesLeft -= length;
    if (bytesLeft < 0) {
      findings.unread++;
      findings.corruption(`the L1 tables up to ${what} are longer than the file, so they overlap`, at);
      break;
    }
    const table = await counting.read(at, length, what);
    if (table !== undefined) await countL2Tables(counting, table, at, isActive, visits);
  }
  return visits;
}

/** Why the table cannot be at its place; `undefined` when it can. The active state comes first and wins conflicts. */
function l1Problem({ metadata, image }: Counting, place: L1Place): string | undefined {
  const { at, entries } = place;
  const problem = snapshotL1Problem({ l1TableOffset: at, l1Size: entries }, image);
  if (problem !== undefined || entries === 0) return problem;
  const other = metadata.otherThan(kindOf(place), at, entries * 8);
  return other === undefined ? undefined : `at byte ${hex(at)} is where ${other} is`;
}

function kindOf({ isActive }: L1Place): MetadataKind {
  return isActive ? 'the L1 table' : 'the L1 table of a snapshot';
}

async function countL2Tables(
  counting: Counting,
  table: DataView,
  tableAt: number,
  isActive: boolean,
  visits: Map<number, L2Visits>,
): Promise<void> {
  for (let position = 0; position < table.byteLength; position += 8) {
    if (position % BREATH === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    const hi = table.getUint32(position);
    const lo = table.getUint32(position + 4);
    if (hi === 0 && lo === 0) continue;
    const entryAt = tableAt + position;
    if (hasReservedL1Bits(hi, lo)) {
      counting.findings.repairableCorruption(
        () => `reserved bits are set in an L1 entry (${hex(hi)} ${hex(lo)})`,
        entryAt,
      );
    }
    const at = l2TableOffset(hi, lo);
    if (at === 0) continue;
    let visit = visits.get(at);
    const kind = visit === undefined ? counting.metadata.kindOf(at / counting.clusterSize) : undefined;
    if (kind !== undefined && kind !== 'an L2 table') {
      counting.findings.unread++;
      counting.findings.repairableCorruption(
        () => `an L2 table at byte ${hex(at)} is where ${kind} is`,
        entryAt,
      );
      continue;
    }
    const isThere = counting.referRepairable(at, counting.clusterSize, 'an L2 table', entryAt);
    if (at % counting.clusterSize !== 0) {
      // Not walked: tables at any sector could overlap, and make more work than the file has bytes.
      counting.findings.unread++;
      counting.findings.repairableCorruption(
        () => `an L2 table at byte ${hex(at)}, not a multiple of ${counting.clusterSize}`,
        entryAt,
      );
      continue;
    }
    if (!isThere) {
      counting.findings.unread++;
      continue;
    }
    if (visit === undefined) {
      counting.metadata.claim('an L2 table', at, counting.clusterSize);
      visit = { total: 0, active: 0, entryAt };
      visits.set(at, visit);
    }
    visit.total++;
    if (isActive) visit.active++;
  }
}
