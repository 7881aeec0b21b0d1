/** An internal snapshot: a saved state of an image, stored in the image itself. */
export interface SnapshotInfo {
  readonly id: string;
  /** Data from the image: print it with `quote`. */
  readonly name: string;
  /** Size of the disk in the snapshot, in guest bytes. A `bigint` past 2^53 − 1; such a snapshot cannot be opened. */
  readonly diskSize: number | bigint;
  /** Bytes of the saved VM state. A `bigint` past 2^53 − 1, which occurs only in a damaged image. */
  readonly vmStateSize: number | bigint;
  /** When the snapshot was taken: seconds since 1970, and nanoseconds. */
  readonly dateSec: number;
  readonly dateNsec: number;
  /** How long the guest had been running: seconds and nanoseconds. */
  readonly vmClockSec: number;
  readonly vmClockNsec: number;
  /** Instructions that the guest had executed. Absent if they were not counted. */
  readonly icount?: number;
}

/** Selects a snapshot: by a string, its id or its name, or by id and name separately. If both are given, both have to match. */
export type SnapshotChoice =
  | string
  | { readonly id?: string | undefined; readonly name?: string | undefined };
