import type { SnapshotInfo } from './snapshot.ts';

/** A value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What a layer tells about itself. Formats extend it with facts of their own. */
export interface LayerInfo {
  /** Name of the format: `'qcow2'`, `'raw'`. */
  readonly format: string;
  /** Guest bytes. */
  readonly virtualSize: number;
  /** Bytes of the unit of allocation. */
  readonly clusterSize?: number;
  /** The image was not closed cleanly. */
  readonly dirty?: boolean;
  readonly encrypted?: boolean;
  readonly snapshots?: readonly SnapshotInfo[];
  /** Name of the file that holds the clusters, where it is not the image. Data from the image: quote it. */
  readonly dataFile?: string;
  /** What the image says of the disk below it. `name` is data from the image: quote it before you print it. */
  readonly backing?: { readonly name: string; readonly format?: string };
  /** Facts of this format alone, under the keys that `qemu-img info --output json` gives them. */
  readonly specific?: { readonly type: string; readonly data: { readonly [key: string]: Json } };
  /** What a careful reader should know before trusting the content. */
  readonly warnings?: readonly string[];
}
