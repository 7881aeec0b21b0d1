import type { L2Shape } from '../layout/decoded-l2-entry.ts';
import { entryRun } from '../layout/entry-run.ts';
import { contradicts } from '../layout/extended-l2-entry.ts';
import { hasReservedL2Bits, hostClusterOffset, isAligned, isCompressed } from '../layout/l2-entry.ts';

/**
 * Number of entries from byte `from` up to byte `end` of an L2 table that a check can handle in one step: they name
 * clusters of the file that follow each other, their flags are equal, and only the COPIED bit can be wrong. 0: the
 * entry at `from` is none of these.
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
  const hi = table.getUint32(from);
  const lo = table.getUint32(from + 4);
  const host = hostClusterOffset(hi, lo);
  if (host === 0 || host >= fileEnd || isCompressed(hi) || !isAligned(lo, clusterSize)) return 0;
  if (hasReservedL2Bits(hi, lo, version >= 3 && !extended)) return 0;
  if (extended && contradicts(table.getUint32(from + 12), table.getUint32(from + 8))) return 0;
  const most = Math.min((end - from) / l2EntryBytes, Math.ceil((fileEnd - host) / clusterSize));
  return entryRun(table, from, most, geometry);
}
