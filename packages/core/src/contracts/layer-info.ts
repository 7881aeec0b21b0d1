import type { SnapshotInfo } from './snapshot.ts';

/** A value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Information about a layer. Formats add their own facts in `specific`. */
export interface LayerInfo {
  /** Name of the format: `'qcow2'`, `'raw'`. */
  readonly format: string;
  /** Guest bytes. */
  readonly virtualSize: number;
  /** Size of the allocation unit, in bytes. */
  readonly clusterSize?: number;
  /** The image was not closed cleanly. */
  readonly dirty?: boolean;
  readonly encrypted?: boolean;
  readonly snapshots?: readonly SnapshotInfo[];
  /** Name of the external data file, which holds the clusters. Data from the image: print it with `quote`. */
  readonly dataFile?: string;
  /** The reference to the backing disk. `name` is data from the image: print it with `quote`. */
  readonly backing?: { readonly name: string; readonly format?: string };
  /** Facts specific to this format, with the keys of `qemu-img info --output json`. */
  readonly specific?: { readonly type: string; readonly data: { readonly [key: string]: Json } };
  /** Reasons not to trust the content, as sentences. */
  readonly warnings?: readonly string[];
}
