import type { MaybePromise } from '../async/maybe-promise.ts';
import type {
  AmendOptions,
  BackingName,
  BitmapStore,
  RepairOptions,
  RepairReport,
  ResizeIo,
  SnapshotStore,
  ZeroesIo,
} from '../contracts/changes.ts';
import type { Io } from '../contracts/disk-module.ts';
import type { DiskError } from '../errors/disk-error.ts';

/** A run of guest bytes that are to be written, and one place for all of them. */
export interface PlacedPart {
  /** Guest offset of the first byte. */
  readonly offset: number;
  readonly length: number;
  /** Byte of that place in its source. */
  readonly at: number;
  /** Number of the source in `Mapping.sources`. Default: 0. */
  readonly source?: number;
  /**
   * Guest bytes just before and just after that have to come to the place as well, as they read now: the rest of a
   * cluster that is allocated by this write. Past the end of the disk they are zeroes.
   */
  readonly before: number;
  readonly after: number;
}

/** Where the bytes of a write go: the engine writes them there, and then says that they are there, or are not. */
export interface Placement {
  /** Guest bytes that found a place, from the first one asked for on. */
  readonly length: number;
  /** In guest order, without gaps. */
  readonly parts: readonly PlacedPart[];
  /** The bytes are downstream: from now on the place is what is read. */
  commit?(): void;
  /** Writing failed: the place is given back, and the old bytes stand. */
  abandon?(): void;
}

/** What the engine does for a writer. */
export interface WriteEngine {
  /** Resolves when all reads in flight have finished. Freed clusters must not be reused before that. */
  readsOver(): Promise<void> | undefined;
  /** Drops decompressed clusters from the cache: their places have been reused. */
  forgetCompressed(): void;
  /** Writes guest bytes, for work that holds the whole disk already. */
  write(offset: number, data: Uint8Array, io: Io): Promise<void>;
}

/**
 * The write side of a mapping: it answers where bytes go, and writes none of them. The engine asks, writes and commits.
 *
 * The engine locks the disk by units: `inPlace` runs beside other writes to the same unit, `place`, `zero`, `discard`
 * and `compress` have theirs alone, and everything below `resize` the whole disk.
 */
export interface MappingWriter {
  /** Guest bytes that are allocated together: a cluster. */
  readonly unit: number;
  /** Why nothing can be written now: the image is damaged, say. `repair` may be able to help. */
  readonly refusal?: DiskError | undefined;
  /** Called once, before anything else. */
  attach?(engine: WriteEngine): void;
  /**
   * These guest bytes are about to be changed, by whatever the engine calls next: for a format that records what changes.
   * Called with the range locked, at least shared. No promise where nothing has to be waited for.
   */
  record?(offset: number, length: number): Promise<void> | undefined;
  /** The place of all these bytes, if they can be overwritten where they are; `undefined` where any cannot. */
  inPlace(offset: number, length: number, io: Io): MaybePromise<Placement | undefined>;
  /** The place of these bytes, or of the first ones among them. What has no place yet gets one. */
  place(offset: number, length: number, io: Io): Promise<Placement>;
  /** Whole zero units (the last one may be cut by the end of the disk) read as zeroes. False where the format cannot. */
  zero?(offset: number, length: number, io: ZeroesIo): Promise<boolean>;
  /** Guest bytes that can be zeroes by themselves. Default: `unit`. */
  readonly zeroUnit?: number | undefined;
  /** Gives whole units back. */
  discard?(offset: number, length: number, io: Io): Promise<void>;
  /** Writes one unit compressed. False when it does not get smaller: nothing has happened then. */
  compress?(offset: number, unit: Uint8Array, io: Io): Promise<boolean>;
  resize?(size: number, io: ResizeIo): Promise<void>;
  readonly snapshots?: SnapshotStore | undefined;
  repair?(options: RepairOptions): Promise<RepairReport>;
  changeBacking?(backing: BackingName | undefined, io: Io): Promise<void>;
  /** The last change that the writer makes. */
  amend?(options: AmendOptions): Promise<void>;
  readonly bitmapStore?: BitmapStore | undefined;
  /** The disk is about to be closed: what can only be done then. The engine has flushed before, and does so after. */
  finish?(): Promise<void>;
}
