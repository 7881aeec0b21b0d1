/** A dirty bitmap that is stored with a disk: which bytes have changed since some point in time. */
export interface BitmapInfo {
  /** Data from the image: quote it. */
  readonly name: string;
  /** Guest bytes that one bit stands for. */
  readonly granularity: number;
  /** `in-use`: not saved when its writer ended. `auto`: writers keep it up to date. */
  readonly flags: readonly ('in-use' | 'auto')[];
  /** False: what it says may be out of date. */
  readonly consistent: boolean;
}

/** A run of guest bytes that a bitmap calls dirty, or clean. */
export interface BitmapExtent {
  readonly offset: number;
  readonly length: number;
  readonly dirty: boolean;
}
