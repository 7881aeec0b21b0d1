import type { L2Shape } from '../layout/decoded-l2-entry.ts';
import { contradicts } from '../layout/extended-l2-entry.ts';
import { hasReservedL2Bits, hostClusterOffset, isAligned, isCompressed } from '../layout/l2-entry.ts';

/**
 * Number of entries from byte `from` up to byte `end` of an L2 table that a check can handle at once: they name
 * clusters of the file that follow each other, their flags are equal, and only the COPIED bit can be wrong. 0: the
 * entry at `from` is none of these. Large images consist of such runs.
 */
export function plainRun(
  table: DataView,
  from: number,
  end: number,
  { geometry, version, extended, external }: L2Shape,
  fileEnd: number,
): number {
  if (external) return 0;
  const { clusterSize, l2EntryBytes } = geometry;
  let hi = table.getInt32(from);
  let lo = table.getUint32(from + 4);
  const host = hostClusterOffset(hi, lo);
  if (host === 0 || isCompressed(hi) || !isAligned(lo, clusterSize)) return 0;
  if (hasReservedL2Bits(hi, lo, version >= 3 && !extended)) return 0;
  const there = from + Math.ceil((fileEnd - host) / clusterSize) * l2EntryBytes;
  const last = Math.min(end, there);
  let at = from;
  // An entry is the one before it plus a cluster: whatever holds for the first entry holds for it.
  while (at < last && table.getInt32(at) === hi && table.getUint32(at + 4) === lo) {
    if (extended && contradicts(table.getUint32(at + 12), table.getUint32(at + 8))) break;
    at += l2EntryBytes;
    lo = (lo + clusterSize) >>> 0;
    if (lo < clusterSize) hi++;
  }
  return (at - from) / l2EntryBytes;
}
