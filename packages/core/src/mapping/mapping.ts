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

/** Parts of one request that are under way below at the same time. */
export const MAX_PARALLEL = 16;

/**
 * What a format hands to the engine: it answers where guest bytes are, and reads none of them. Its facts may change
 * where it can be written.
 */
export interface Mapping {
  /** Guest bytes. */
  readonly size: number;
  readonly info: LayerInfo;
  /** What `base` extents refer to, open. Without one they read as zeroes. */
  readonly base?: DiskModule | undefined;
  /**
   * The disks that extents are stored on, open, by their number in `ExtentList`. The mapping's disk owns them, except for its
   * members. Default: the downstream disk alone, or the members.
   */
  readonly sources?: readonly DiskModule[] | undefined;
  /** What decompresses `compressed` extents, by its number in `ExtentList`. */
  readonly codecs?: readonly Decompress[] | undefined;
  /** Present on an encrypted disk. Compressed extents are never encrypted. */
  readonly cipher?: PayloadCipher | undefined;
  /**
   * Bytes past the end of a source that still read as zeroes: a format whose last cluster may be cut short
   * says a cluster here. The format itself refuses a cluster that starts past the end. 0 when absent.
   */
  readonly slack?: number | undefined;
  /** The bytes are those of the disks below, as they are: what these disks know of their holes holds here too. */
  readonly transparent?: boolean | undefined;

  /**
   * Adds the extents of guest bytes `offset` to `offset + length`, in order and without gaps, to an empty list: all of
   * them, or the first ones, and at least one. A format ends early when the list is full, and after about a millisecond of
   * work, so that a request for a large and empty disk does not keep the event loop. Returns `undefined`, and no promise,
   * when the tables are cached.
   */
  translate(offset: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined;

  /** Absent on a mapping that cannot be written. */
  readonly writer?: MappingWriter | undefined;
  readonly check?: ((io: Io) => Promise<CheckReport>) | undefined;
  /** Dirty bitmaps, and what one of them says. */
  readonly bitmaps?: readonly BitmapInfo[] | undefined;
  readonly bitmapExtents?: ((name: string, io: BitmapExtentsIo) => AsyncIterable<BitmapExtent>) | undefined;
  /** Writes back what the mapping holds in memory. The engine flushes the downstream disk afterwards. */
  flush?(io: Io): Promise<void>;
}

/** Reads and validates an image's metadata. The base is opened last, so that nothing is left open on failure. */
export type Load = (downstream: DiskModule, context: OpenContext, io: Io) => Promise<Mapping>;

/** `translate`, held to its promise of at least one extent: otherwise a loop over it would never end. */
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
  throw new DiskError('ERR_INTERNAL', `the format does not say where guest offset ${offset} is`);
}
