import type { BitmapExtent, BitmapInfo } from './bitmap.ts';
import type {
  AmendOptions,
  BackingName,
  BitmapStore,
  RepairOptions,
  RepairReport,
  ResizeIo,
  SnapshotStore,
  ZeroesIo,
} from './changes.ts';
import type { CheckReport } from './check.ts';
import type { Cloner } from './cloner.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { DiskExtent } from './extent.ts';
import type { LayerInfo } from './layer-info.ts';

export interface ExtentsIo extends Io {
  /**
   * Finds the holes of files below by reading them, where no `Host` can ask the file system. Default: false, the bytes of such
   * files are `data`.
   */
  readonly findHoles?: boolean | undefined;
}

export interface BitmapExtentsIo extends Io {
  /** Reads an inconsistent bitmap as it is stored; its clean ranges may have changed. Default: false, such a bitmap fails. */
  readonly asStored?: boolean | undefined;
}

/** Optional abilities of a disk. Test for one with `can(disk, 'flush')`, which also narrows the type. */
export interface Abilities {
  /**
   * Fills `into` with the guest bytes at `offset`. Returns `undefined` if it completed synchronously, otherwise a promise. The
   * whole range has to be inside the disk. Layers read each other by it: a read through ten cached layers makes no promise.
   */
  readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined;
  /** The extents of a range of guest bytes, in order and without gaps. Extents that continue each other are merged. */
  extents(offset?: number, length?: number, io?: ExtentsIo): AsyncIterable<DiskExtent>;
  /** A barrier: when it resolves, all completed writes are on stable storage. */
  flush(io?: Io): Promise<void>;
  /** Changes the size to `size` bytes. New bytes read as zeroes. A smaller size needs `shrink`. */
  resize(size: number, io?: ResizeIo): Promise<void>;
  /**
   * Declares the content of a range unused. The parts that the disk can free (usually whole clusters) read as zeroes afterwards;
   * the rest keeps its content.
   */
  discard(offset: number, length: number, io?: Io): Promise<void>;
  /** Makes a range read as zeroes. Writes no literal zeroes where the format can mark a cluster as zero. */
  writeZeroes(offset: number, length: number, io?: ZeroesIo): Promise<void>;
  /**
   * Writes one cluster compressed. `offset` is a multiple of `info().clusterSize`; the last cluster of the disk may be shorter. A
   * cluster that does not get smaller is written uncompressed. `ERR_ARGUMENT` if the cluster is already allocated.
   */
  writeCompressed(offset: number, cluster: Uint8Array, io?: Io): Promise<void>;
  /**
   * Returns what clones ranges of `source` into this disk, so that both share the stored bytes. `undefined` if they cannot share:
   * then the bytes have to be read and written. Writes nothing yet.
   */
  cloneFrom(source: DiskModule): Promise<Cloner | undefined>;
  /** Lists and changes the internal snapshots of the image. */
  readonly snapshots: SnapshotStore;
  /** Repairs the metadata errors that `check` finds. */
  repair(options: RepairOptions): Promise<RepairReport>;
  /** Changes the reference to the backing disk, but no content. `undefined` removes the reference. */
  changeBacking(backing: BackingName | undefined, io?: Io): Promise<void>;
  /** Changes features of the image, but no content. The disk cannot be changed afterwards: open it again. */
  amend(options: AmendOptions): Promise<void>;
  /** Changes the dirty bitmaps of the image. */
  readonly bitmapStore: BitmapStore;
  /** The backing chain: this disk, its base, the base of that disk, and so on. */
  chain(): readonly DiskModule[];
  info(): LayerInfo;
  /** Checks the metadata of the image for consistency. Reads no guest data and does not check the base. */
  check(io?: Io): Promise<CheckReport>;
  /** The dirty bitmaps that are stored with the disk. */
  bitmaps(): readonly BitmapInfo[];
  /**
   * The extents of a bitmap, from the start of the disk to its end. `ERR_NOT_FOUND` if there is no bitmap of that name,
   * `ERR_CORRUPT` if it is inconsistent: it may mark changed bytes as clean.
   */
  bitmapExtents(name: string, io?: BitmapExtentsIo): AsyncIterable<BitmapExtent>;
  /** The disk that this disk is stored on. */
  readonly downstream: DiskModule;
  /** Where the disk was opened from: a path or URL, for messages and for resolving relative names. */
  readonly location: string;
}

export type Ability = keyof Abilities;

/** A disk that has the named abilities. */
export type Able<A extends Ability> = DiskModule & Pick<Abilities, A>;

/** Returns whether the disk has this ability. */
export function can<A extends Ability>(disk: DiskModule, ability: A): disk is Able<A> {
  return (disk as Partial<Abilities>)[ability] !== undefined;
}
