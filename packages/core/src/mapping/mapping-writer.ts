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

/** A run of guest bytes to write, and the one place for all of them. */
export interface PlacedPart {
  /** Guest offset of the first byte. */
  readonly offset: number;
  readonly length: number;
  /** Byte offset of the place in its source. */
  readonly at: number;
  /** Number of the source in `Mapping.sources`. Default: 0. */
  readonly source?: number;
  /**
   * Numbers of guest bytes directly before and after the run that have to be copied to the place too, with their current content:
   * the rest of a cluster that this write allocates. Past the end of the disk they are zeroes.
   */
  readonly before: number;
  readonly after: number;
}

/** Where the bytes of a write go. The engine writes them there, then calls `commit`, or `abandon` if writing failed. */
export interface Placement {
  /** Number of guest bytes that have a place, counted from the first requested one. */
  readonly length: number;
  /** The parts of the write, in guest order and without gaps. */
  readonly parts: readonly PlacedPart[];
  /** The bytes are written downstream. Reads use the new place from now on. */
  commit?(): void;
  /** Writing failed. The format frees the place; reads still return the old bytes. */
  abandon?(): void;
}

/** The services of the engine for a writer. */
export interface WriteEngine {
  /** Resolves when all reads in flight have finished. Freed clusters must not be reused before that. */
  readsOver(): Promise<void> | undefined;
  /** Drops decompressed clusters from the cache: their places have been reused. */
  forgetCompressed(): void;
  /** Writes guest bytes, for work that already holds the lock on the whole disk. */
  write(offset: number, data: Uint8Array, io: Io): Promise<void>;
}

/**
 * The write side of a mapping. It decides where guest bytes go; the engine writes them.
 *
 * The engine locks the disk by units. `inPlace` runs with a shared lock, in parallel with other writes to the same unit. `place`,
 * `zero`, `discard` and `compress` have their units exclusively; `resize` and the members below it have the whole disk.
 */
export interface MappingWriter {
  /** Size of the allocation unit (a cluster), in guest bytes. */
  readonly unit: number;
  /** Why the disk cannot be written at the moment, for example because the image is damaged. `repair` may help. */
  readonly refusal?: DiskError | undefined;
  /** Called once, before anything else. */
  attach?(engine: WriteEngine): void;
  /**
   * Called before guest bytes change, for a format that records changes (in dirty bitmaps). The engine holds a lock on the range,
   * at least a shared one. Returns `undefined` if it completed synchronously.
   */
  record?(offset: number, length: number): Promise<void> | undefined;
  /** Returns the place of all these bytes if they can be overwritten in place; `undefined` if any of them cannot. */
  inPlace(offset: number, length: number, io: Io): MaybePromise<Placement | undefined>;
  /** Returns the place of these bytes, or of the first ones of them. Allocates a place for bytes that have none. */
  place(offset: number, length: number, io: Io): Promise<Placement>;
  /** Makes whole zero units read as zeroes (the disk may end inside the last one). Returns false if the format cannot. */
  zero?(offset: number, length: number, io: ZeroesIo): Promise<boolean>;
  /** Size of the units that `zero` works on, in guest bytes. Default: `unit`. */
  readonly zeroUnit?: number | undefined;
  /** Frees whole units. */
  discard?(offset: number, length: number, io: Io): Promise<void>;
  /** Writes one unit compressed. Returns false, and changes nothing, if it does not get smaller. */
  compress?(offset: number, unit: Uint8Array, io: Io): Promise<boolean>;
  resize?(size: number, io: ResizeIo): Promise<void>;
  readonly snapshots?: SnapshotStore | undefined;
  repair?(options: RepairOptions): Promise<RepairReport>;
  changeBacking?(backing: BackingName | undefined, io: Io): Promise<void>;
  /** After it the writer makes no other change. */
  amend?(options: AmendOptions): Promise<void>;
  readonly bitmapStore?: BitmapStore | undefined;
  /** Called before the disk is closed, for the last updates of the image. The engine flushes before and after it. */
  finish?(): Promise<void>;
}
