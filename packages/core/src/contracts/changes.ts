import type { BitmapExtent } from './bitmap.ts';
import type { CheckFinding } from './check.ts';
import type { Io } from './disk-module.ts';
import type { OptionValues } from './image-options.ts';
import type { SnapshotInfo } from './snapshot.ts';

/** Progress of an operation, in a unit that the operation chooses: bytes, clusters. */
export interface WorkProgress {
  readonly done: number;
  readonly total: number;
}

/** Options of operations that may take long. */
export interface WorkIo extends Io {
  readonly onProgress?: ((progress: WorkProgress) => void) | undefined;
}

export interface ZeroesIo extends Io {
  /** Frees the space if the format can. Default: false, the space stays allocated. */
  readonly unmap?: boolean | undefined;
  /** Records the zeroes in this disk even where it already reads as zeroes: its base is about to change. Default: false. */
  readonly explicit?: boolean | undefined;
}

export interface ResizeIo extends WorkIo {
  /** Allows a smaller size; the data past it is lost. Default: false, a smaller size is `ERR_ARGUMENT`. */
  readonly shrink?: boolean | undefined;
}

/** The internal snapshots of one image. Each change is atomic, and on stable storage when its promise resolves. */
export interface SnapshotStore {
  list(): readonly SnapshotInfo[];
  /** Makes a snapshot of the current state. */
  create(name: string, io?: WorkIo): Promise<SnapshotInfo>;
  /** Reverts the disk to a snapshot, found by its id or its name. Restores the size of the disk too. */
  apply(idOrName: string, io?: WorkIo): Promise<void>;
  delete(idOrName: string, io?: WorkIo): Promise<void>;
}

export interface RepairOptions extends WorkIo {
  /**
   * `leaks`: frees clusters that nothing refers to. `all`: also corrects refcounts to match the tables, and removes entries of L1
   * and L2 tables that refer to no usable cluster.
   */
  readonly fix: 'leaks' | 'all';
  /** Reports what the repair would do, but writes nothing. Default: false. */
  readonly dryRun?: boolean | undefined;
}

export interface RepairReport {
  /** Leaked clusters that were freed. */
  readonly leaksFixed: number;
  /** Refcounts and entries that were corrected. */
  readonly corruptionsFixed: number;
  /** Entries that were removed because they referred to no usable cluster. Their data is lost. At most `MAX_FINDINGS`. */
  readonly dropped?: readonly CheckFinding[] | undefined;
  /** Number of removed entries; `dropped` may list fewer. Absent: none. */
  readonly entriesDropped?: number | undefined;
  /** Apparently leaked clusters that stay allocated, because a lost table may have referred to them. `leaks` frees them. */
  readonly leaksKept?: number | undefined;
}

/** A change of the features of an image. */
export interface AmendOptions extends WorkIo {
  /** New values, by the schema of the format (`DiskFormat.amend`). Absent options keep their values. */
  readonly options: OptionValues;
  /** Allows changes that lose data permanently, such as erasing the last key of an encrypted image. Default: false. */
  readonly force?: boolean | undefined;
  /** Checks whether the change is possible, but changes nothing. Default: false. */
  readonly dryRun?: boolean | undefined;
}

/** A reference to a backing disk, as an image stores it. */
export interface BackingName {
  /** The name to store in the image: relative to the folder of the image, or absolute. */
  readonly name: string;
  /** Name of its format. Always set it: without a format the disk is probed, and a guest can fake what the probe sees. */
  readonly format?: string | undefined;
}

export interface NewBitmap {
  readonly name: string;
  /** Guest bytes that one bit represents: a power of two from 512 to 2 GiB. Default: the cluster size, from 4 to 64 KiB. */
  readonly granularity?: number | undefined;
  /** Writers keep it up to date. Default: true. */
  readonly auto?: boolean | undefined;
  /** Initially dirty ranges, such as the extents of another bitmap. Default: none. */
  readonly dirty?: DirtyExtents | undefined;
}

/** Ranges to mark dirty; clean extents are ignored. Ascending order is fastest. */
export type DirtyExtents = AsyncIterable<BitmapExtent> | Iterable<BitmapExtent>;

/** Changes the dirty bitmaps of one image. Each change is on stable storage when its promise resolves. */
export interface BitmapStore {
  add(bitmap: NewBitmap, io?: Io): Promise<void>;
  remove(name: string, io?: Io): Promise<void>;
  /** Marks everything clean. */
  clear(name: string, io?: Io): Promise<void>;
  /** Sets whether writers keep the bitmap up to date. */
  setAuto(name: string, auto: boolean, io?: Io): Promise<void>;
  /**
   * Marks the dirty ranges of `from` dirty in this bitmap too. They may come from any bitmap of any image, of any granularity. If
   * `from` fails, the bitmap keeps all its old bits and gets only some of the new ones.
   */
  merge(name: string, from: DirtyExtents, io?: Io): Promise<void>;
}
