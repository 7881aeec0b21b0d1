/** One thing that `check` found. */
export interface CheckFinding {
  /** `corruption` can cost data, a `leak` only space; an `error` kept the check from looking. */
  readonly kind: 'corruption' | 'leak' | 'error';
  /** What is wrong, with the numbers that disagree. */
  readonly message: string;
  /** Byte of the image at fault, where there is one. */
  readonly offset?: number;
}

/** What a check of an image's metadata found. */
export interface CheckReport {
  readonly corruptions: number;
  readonly leaks: number;
  /**
   * Clusters that are counted in use and that nothing names, where a structure that may name them could not be read:
   * they may hold data, so they are not counted as leaks. Absent: none.
   */
  readonly unattributed?: number | undefined;
  /** Places that could not be looked at. */
  readonly errors: number;
  /** The first findings, up to `MAX_FINDINGS`; the numbers above count them all. */
  readonly findings: readonly CheckFinding[];
  /** Byte after the last cluster in use. */
  readonly imageEndOffset: number;
  /** Guest clusters: all, those with a place in the image, those not next to the one before, compressed ones. */
  readonly totalClusters: number;
  readonly allocatedClusters: number;
  readonly fragmentedClusters: number;
  readonly compressedClusters: number;
}

/** Findings that a report keeps. */
export const MAX_FINDINGS = 1000;
