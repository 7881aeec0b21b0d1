/** An internal snapshot: another state of the same image. */
export interface SnapshotInfo {
  readonly id: string;
  /** Data from the image: quote it. */
  readonly name: string;
  /** Guest bytes of the disk when it was taken. A `bigint` past 2^53 − 1: such a snapshot cannot be opened. */
  readonly diskSize: number | bigint;
  /** Bytes of the saved state of the machine. A `bigint` past 2^53 − 1, which only a damaged image says. */
  readonly vmStateSize: number | bigint;
  /** When it was taken, since 1970. */
  readonly dateSec: number;
  readonly dateNsec: number;
  /** How long the guest had been running. */
  readonly vmClockSec: number;
  readonly vmClockNsec: number;
  /** Instructions executed, where they were counted. */
  readonly icount?: number;
}

/**
 * Which snapshot: a text that is its id or its name, or the id and the name each by itself. Both together have to be those
 * of one snapshot.
 */
export type SnapshotChoice =
  | string
  | { readonly id?: string | undefined; readonly name?: string | undefined };
