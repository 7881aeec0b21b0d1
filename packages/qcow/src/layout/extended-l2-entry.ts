/** qcow2 spec, "Extended L2 Entries": sub-clusters of a cluster. */
export const SUBCLUSTERS = 32;

/** What a sub-cluster is by its two bits. */
export type SubclusterKind = 'allocated' | 'zero' | 'unallocated';

/** A sub-cluster may not be allocated and read as zeroes at once. */
export function contradicts(allocation: number, zero: number): boolean {
  return (allocation & zero) !== 0;
}

/** qcow2 spec, "Subcluster Allocation Bitmap": bit x of each half, from the least significant one, is sub-cluster x. */
export function subclusterKind(allocation: number, zero: number, index: number): SubclusterKind {
  if ((allocation >>> index) & 1) return 'allocated';
  return (zero >>> index) & 1 ? 'zero' : 'unallocated';
}
