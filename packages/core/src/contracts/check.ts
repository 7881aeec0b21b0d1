/** One finding of `check`. */
export interface CheckFinding {
  /** A `corruption` can cost data, a `leak` wastes space, an `error` is something that could not be checked. */
  readonly kind: 'corruption' | 'leak' | 'error';
  /** What is wrong, with the numbers that disagree. */
  readonly message: string;
  /** Byte offset of the fault in the image, if it has one. */
  readonly offset?: number;
}

/** The result of a check of an image's metadata. */
export interface CheckReport {
  readonly corruptions: number;
  readonly leaks: number;
  /**
   * Clusters with a refcount that nothing refers to, in an image where a structure could not be read. That structure may refer to
   * them, so they may hold data and do not count as leaks. Absent: none.
   */
  readonly unattributed?: number | undefined;
  /** Number of places that could not be checked. */
  readonly errors: number;
  /** The first `MAX_FINDINGS` findings; the numbers above count all of them. */
  readonly findings: readonly CheckFinding[];
  /** Byte offset of the end of the last cluster in use. */
  readonly imageEndOffset: number;
  /** Guest clusters: all, allocated ones, allocated ones that do not follow their predecessor in the file, compressed ones. */
  readonly totalClusters: number;
  readonly allocatedClusters: number;
  readonly fragmentedClusters: number;
  readonly compressedClusters: number;
}

/** Maximum number of findings in a report. */
export const MAX_FINDINGS = 1000;
