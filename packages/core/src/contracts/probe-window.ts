/** What a probe sees of a disk: both ends, read once. Shorter on a small disk. */
export interface ProbeWindow {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Bytes of the whole disk. */
  readonly size: number;
}
