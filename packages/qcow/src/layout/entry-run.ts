import type { Geometry } from './geometry.ts';

/**
 * Number of L2 entries from byte `from` of a table, at least 1 and at most `most`, each of which is the one before it
 * plus one cluster: they name clusters of the file that follow each other, and all their other bits are equal. What
 * holds for the first entry holds for them all. Large images consist of such runs.
 *
 * @param most at most the clusters from the first one up to the end of the file: the offsets of a run then fit their field
 */
export function entryRun(
  table: DataView,
  from: number,
  most: number,
  { clusterSize, l2EntryBytes }: Geometry,
): number {
  let hi = table.getInt32(from);
  let lo = table.getUint32(from + 4);
  const hasBitmap = l2EntryBytes > 8;
  const zeroes = hasBitmap ? table.getInt32(from + 8) : 0;
  const allocated = hasBitmap ? table.getInt32(from + 12) : 0;
  let count = 1;
  for (let at = from + l2EntryBytes; count < most; at += l2EntryBytes) {
    lo = (lo + clusterSize) >>> 0;
    if (lo < clusterSize) hi = (hi + 1) | 0;
    if (table.getUint32(at + 4) !== lo || table.getInt32(at) !== hi) break;
    if (hasBitmap && (table.getInt32(at + 8) !== zeroes || table.getInt32(at + 12) !== allocated)) break;
    count++;
  }
  return count;
}
