import type { BitmapExtentsIo } from '../contracts/abilities.ts';
import type { BitmapExtent, BitmapInfo } from '../contracts/bitmap.ts';
import type { CheckReport } from '../contracts/check.ts';
import type { Decompress } from '../contracts/codec.ts';
import type { OpenContext } from '../contracts/disk-format.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { LayerInfo } from '../contracts/layer-info.ts';
import { DiskError } from '../errors/disk-error.ts';
import type { ExtentList } from './extent-list.ts';
import type { MappingWriter } from './mapping-writer.ts';
import type { PayloadCipher } from './payload-cipher.ts';

/** Maximum parts of one request in flight at the same time. */
export const MAX_PARALLEL = 16;

/**
 * How a format maps guest bytes to storage. It reports where guest bytes are; the engine reads them. The properties of a writable
 * mapping may change.
 */
export interface Mapping {
  /** Guest bytes. */
  readonly size: number;
  readonly info: LayerInfo;
  /** The open disk that `base` extents refer to. Without a base they read as zeroes. */
  readonly base?: DiskModule | undefined;
  /**
   * The open disks that extents are stored on, by their number in `ExtentList`. The `MappedDisk` owns them, except for its
   * members. Default: only the downstream disk, or the members.
   */
  readonly sources?: readonly DiskModule[] | undefined;
  /** Decompressors of `compressed` extents, by their number in `ExtentList`. */
  readonly codecs?: readonly Decompress[] | undefined;
  /** Present on an encrypted disk. Compressed extents are never encrypted. */
  readonly cipher?: PayloadCipher | undefined;
  /**
   * Bytes past the end of a source that still read as zeroes: the cluster size, for a format whose last cluster may be cut short.
   * The format itself refuses a cluster that starts past the end. Default: 0.
   */
  readonly slack?: number | undefined;
  /** The sources hold the guest bytes unchanged, so `extents()` looks up holes in them. Default: false. */
  readonly transparent?: boolean | undefined;

  /**
   * Adds the extents of guest bytes `offset` to `offset + length` to an empty list, in order and without gaps: all of them, or at
   * least the first one. It stops early if the list is full, or after about a millisecond of work, so that a request for a large
   * empty disk does not block the event loop. Returns `undefined` if it completed synchronously, as it does with cached tables.
   */
  translate(offset: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined;

  /** Absent if the format cannot write this image. */
  readonly writer?: MappingWriter | undefined;
  readonly check?: ((io: Io) => Promise<CheckReport>) | undefined;
  /** The dirty bitmaps, and the extents of one of them. */
  readonly bitmaps?: readonly BitmapInfo[] | undefined;
  readonly bitmapExtents?: ((name: string, io: BitmapExtentsIo) => AsyncIterable<BitmapExtent>) | undefined;
  /** Writes cached metadata. The engine then flushes the disks below. */
  flush?(io: Io): Promise<void>;
}

/** Reads and validates the metadata of an image. It opens the base last, so that a failure leaves nothing open. */
export type Load = (downstream: DiskModule, context: OpenContext, io: Io) => Promise<Mapping>;

/** Calls `translate`, and throws if it adds no extent: a loop over it would never end. */
export function translateSome(
  mapping: Mapping,
  offset: number,
  length: number,
  extents: ExtentList,
  io: Io,
): Promise<void> | undefined {
  extents.clear();
  const waiting = mapping.translate(offset, length, extents, io);
  if (waiting !== undefined) return waiting.then(() => checkSome(extents, offset));
  checkSome(extents, offset);
  return undefined;
}

function checkSome(extents: ExtentList, offset: number): void {
  if (extents.covered > 0) return;
  throw new DiskError('ERR_INTERNAL', `the format returned no extent for guest offset ${offset}`);
}
