import type { BitmapExtent } from './bitmap.ts';
import type { CheckFinding } from './check.ts';
import type { Io } from './disk-module.ts';
import type { OptionValues } from './image-options.ts';
import type { SnapshotInfo } from './snapshot.ts';

/** How far a piece of work is, in a unit of its own: bytes, clusters. */
export interface WorkProgress {
  readonly done: number;
  readonly total: number;
}

/** For work that may take long. */
export interface WorkIo extends Io {
  readonly onProgress?: ((progress: WorkProgress) => void) | undefined;
}

export interface ZeroesIo extends Io {
  /** Give the space back where the format can. Without it the place of the bytes stays reserved for them. */
  readonly unmap?: boolean | undefined;
  /** The disk itself is to say so, also where it reads as zeroes already: what it stands on is about to change. */
  readonly explicit?: boolean | undefined;
}

export interface ResizeIo extends WorkIo {
  /** Allows a smaller size: what is past it is lost. Without it such a size is `ERR_ARGUMENT`. */
  readonly shrink?: boolean | undefined;
}

/** The internal snapshots of one image. Every change is on stable storage when it resolves, or has not happened. */
export interface SnapshotStore {
  list(): readonly SnapshotInfo[];
  /** Keeps the current state under a name. */
  create(name: string, io?: WorkIo): Promise<SnapshotInfo>;
  /** Makes the state of a snapshot, found by its id or its name, the current one: the size of the disk too. */
  apply(idOrName: string, io?: WorkIo): Promise<void>;
  delete(idOrName: string, io?: WorkIo): Promise<void>;
}

export interface RepairOptions extends WorkIo {
  /**
   * `leaks`: gives back what nothing refers to. `all`: makes refcounts agree with the tables as well, and drops entries of
   * L1 and L2 tables that name nothing usable.
   */
  readonly fix: 'leaks' | 'all';
  /** Tells what would be done, and writes nothing. */
  readonly dryRun?: boolean | undefined;
}

export interface RepairReport {
  /** Leaked clusters that were given back. */
  readonly leaksFixed: number;
  /** Refcounts and entries that were put right. */
  readonly corruptionsFixed: number;
  /** Entries that named nothing usable and name nothing now: what they mapped is lost. The first ones, up to `MAX_FINDINGS`. */
  readonly dropped?: readonly CheckFinding[] | undefined;
  /** All of them; the list may hold fewer. Absent: none. */
  readonly entriesDropped?: number | undefined;
  /** Clusters that look leaked and stay counted, because a lost table may have named them. `leaks` gives them back. */
  readonly leaksKept?: number | undefined;
}

/** A change of the features of an image. */
export interface AmendOptions extends WorkIo {
  /** By the schema of the format (`DiskFormat.amend`). What is left out stays as it is. */
  readonly options: OptionValues;
  /** Allows changes that lose something for good: the last key of an encrypted image. Default: false. */
  readonly force?: boolean | undefined;
  /** Refuses what is not possible, and changes nothing. Default: false. */
  readonly dryRun?: boolean | undefined;
}

/** What an image says of the disk below it. */
export interface BackingName {
  /** As it is to stand in the image: relative to the folder of the image, or absolute. */
  readonly name: string;
  /** Name of its format. Without one it will be probed, which a guest can abuse: give it. */
  readonly format?: string | undefined;
}

export interface NewBitmap {
  readonly name: string;
  /** Guest bytes that one bit stands for: a power of two from 512 to 2 GiB. Default: the cluster size, from 4 to 64 KiB. */
  readonly granularity?: number | undefined;
  /** Writers keep it up to date. Default: true. */
  readonly auto?: boolean | undefined;
  /** What is dirty from the start: the extents of another bitmap, say. Default: nothing. */
  readonly dirty?: DirtyExtents | undefined;
}

/** What a bitmap is to call dirty; extents that are clean are passed over. In order is fastest. */
export type DirtyExtents = AsyncIterable<BitmapExtent> | Iterable<BitmapExtent>;

/** The dirty bitmaps of one image, to be changed. Every change is on stable storage when it resolves. */
export interface BitmapStore {
  add(bitmap: NewBitmap, io?: Io): Promise<void>;
  remove(name: string, io?: Io): Promise<void>;
  /** Calls everything clean. */
  clear(name: string, io?: Io): Promise<void>;
  /** Whether writers keep it up to date. */
  setAuto(name: string, auto: boolean, io?: Io): Promise<void>;
  /**
   * Calls dirty as well what these extents do: those of another bitmap, of this image or of another one, of any
   * granularity. When the extents end with an error, the bitmap has some of them, and all that it had before.
   */
  merge(name: string, from: DirtyExtents, io?: Io): Promise<void>;
}
