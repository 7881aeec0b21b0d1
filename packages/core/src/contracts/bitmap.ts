/** A dirty bitmap that is stored with a disk: which bytes have changed since some point in time. */
export interface BitmapInfo {
  /** Data from the image: print it with `quote`. */
  readonly name: string;
  /** Guest bytes that one bit represents. */
  readonly granularity: number;
  /** `in-use`: its writer ended without saving it. `auto`: writers keep it up to date. */
  readonly flags: readonly ('in-use' | 'auto')[];
  /** False if the bits may be out of date. */
  readonly consistent: boolean;
}

/** A run of guest bytes that a bitmap marks dirty or clean. */
export interface BitmapExtent {
  readonly offset: number;
  readonly length: number;
  readonly dirty: boolean;
}
