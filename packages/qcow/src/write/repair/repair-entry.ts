import { hex } from '@diskstack/core';
import { type L2Entry, type L2Shape, NO_HOST } from '../../layout/decoded-l2-entry.ts';
import { contradicts } from '../../layout/extended-l2-entry.ts';
import { hasReservedL2Bits, isCopied } from '../../layout/l2-entry.ts';

/** The words of a repaired L2 entry. The last two are not written to entries without a sub-cluster bitmap. */
interface EntryWords {
  readonly hi: number;
  readonly lo: number;
  readonly zero: number;
  readonly allocation: number;
}

/** A repaired entry, and what was wrong with it. */
export interface EntryRepair {
  readonly entry: EntryWords;
  readonly message: string;
  /** The guest content that the entry named is lost. */
  readonly isLoss: boolean;
}

/** What is needed to judge entries. */
export interface RepairShape extends L2Shape {
  /** Size of the image file. */
  readonly end: number;
}

const NOTHING: EntryWords = { hi: 0, lo: 0, zero: 0, allocation: 0 };
/** Bits 9 to 55, 62 and 63 of an entry, by halves. */
const KNOWN_HI = 0xc0ffffff;
const KNOWN_LO = 0xfffffe00;

/**
 * Repairs an entry, keeping the content that can still be read. Returns `undefined` when the entry is sound.
 *
 * @param entry the entry, decoded; `hi` and `lo` are its first two words
 */
export function repairEntry(
  entry: L2Entry,
  hi: number,
  lo: number,
  shape: RepairShape,
): EntryRepair | undefined {
  return entry.stored === 0 ? repairStandard(entry, hi, lo, shape) : repairCompressed(entry, hi, lo, shape);
}

function repairCompressed(
  entry: L2Entry,
  hi: number,
  lo: number,
  shape: RepairShape,
): EntryRepair | undefined {
  const { host, stored, zeroes, allocated } = entry;
  const { geometry, external, end } = shape;
  if (external) return loss(shape, 'a compressed cluster in an image with an external data file');
  if (host + stored - end >= geometry.clusterSize)
    return loss(shape, `a compressed cluster at byte ${hex(host)}, the file ends at ${hex(end)}`);
  if (!isCopied(hi) && (zeroes | allocated) === 0) return undefined;
  return {
    entry: { hi: (hi & 0x7fffffff) >>> 0, lo, zero: 0, allocation: 0 },
    message: 'a compressed cluster with the COPIED bit or a sub-cluster bitmap: they are cleared',
    isLoss: false,
  };
}

function repairStandard(entry: L2Entry, hi: number, lo: number, shape: RepairShape): EntryRepair | undefined {
  const { host, zeroes, allocated } = entry;
  const { version, extended } = shape;
  if (version < 3 && zeroes !== 0) return loss(shape, 'the zero bit of version 3 in an image of version 2');
  const isPlainZero = !extended && zeroes !== 0;
  const problem = host === NO_HOST ? undefined : misplaced(host, shape);
  if (problem !== undefined && allocated !== 0) return loss(shape, `a data cluster ${problem}`);
  if (problem !== undefined) {
    return {
      entry: { hi: 0, lo: isPlainZero ? 1 : 0, zero: zeroes, allocation: allocated },
      message: `a preallocated cluster ${problem}: its place is dropped`,
      isLoss: false,
    };
  }
  if (contradicts(allocated, zeroes) || (host === NO_HOST && allocated !== 0)) {
    const kept = host === NO_HOST ? NOTHING : { hi, lo, allocation: (allocated & ~zeroes) >>> 0 };
    return {
      entry: { ...kept, zero: zeroes },
      message: `sub-clusters allocated ${hex(allocated)} and zero ${hex(zeroes)}, at byte ${hex(Math.max(0, host))}: the contradictory ones are no longer allocated`,
      isLoss: true,
    };
  }
  if (!hasReservedL2Bits(hi, lo, version >= 3 && !extended)) return undefined;
  const known = { hi: (hi & KNOWN_HI) >>> 0, lo: ((lo & KNOWN_LO) | (isPlainZero ? 1 : 0)) >>> 0 };
  return {
    entry: { ...known, zero: zeroes, allocation: allocated },
    message: `reserved bits in an L2 entry (${hex(hi)} ${hex(lo)}): they are cleared`,
    isLoss: false,
  };
}

/**
 * Why no cluster can be at this byte; `undefined` when one can. The end matters in the image only: a data file may
 * grow.
 */
function misplaced(host: number, { geometry, external, end }: RepairShape): string | undefined {
  const { clusterSize } = geometry;
  if (host % clusterSize !== 0) return `at byte ${hex(host)}, not a multiple of ${clusterSize}`;
  if (!external && host >= end) return `at byte ${hex(host)}, the file ends at ${hex(end)}`;
  return undefined;
}

/**
 * Replaces an unusable entry by a zero entry where the version has one, so that stale content of the base does not
 * show.
 */
function loss({ version, extended }: RepairShape, message: string): EntryRepair {
  const entry = extended ? { ...NOTHING, zero: 0xffffffff } : { ...NOTHING, lo: version < 3 ? 0 : 1 };
  return { entry, message, isLoss: true };
}
