/** qcow2 spec, "Extended L2 Entries": sub-clusters of a cluster. */
export const SUBCLUSTERS = 32;

/** The meaning of the two bits of a sub-cluster. */
export type SubclusterKind = 'allocated' | 'zero' | 'unallocated';

/** A sub-cluster must not be allocated and zero at the same time. */
export function contradicts(allocation: number, zero: number): boolean {
  return (allocation & zero) !== 0;
}

/** qcow2 spec, "Subcluster Allocation Bitmap": bit x of each half, from the least significant one, is sub-cluster x. */
export function subclusterKind(allocation: number, zero: number, index: number): SubclusterKind {
  if ((allocation >>> index) & 1) return 'allocated';
  return (zero >>> index) & 1 ? 'zero' : 'unallocated';
}
