/** The bytes that probes look at: the start and the end of a disk. They are shorter on a small disk. */
export interface ProbeWindow {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Size of the whole disk, in bytes. */
  readonly size: number;
}
