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
  /**
   * Reads the bits of a bitmap that is inconsistent as they are stored: what they call clean may have changed. Default:
   * false, such a bitmap is an error.
   */
  readonly asStored?: boolean | undefined;
}

/** What a disk may be able to do beyond `DiskModule`. Ask with `can(disk, 'flush')`; the type then has the method. */
export interface Abilities {
  /**
   * Fills `into` with the guest bytes at `offset`, synchronously where nothing has to be waited for: the result is then
   * `undefined`, and otherwise a promise. The whole range must lie inside the disk. This is the inner path of a stack:
   * a read through ten cached layers costs no promise.
   */
  readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined;
  /** Where the guest bytes of a range are, in order and without gaps; neighbours with one answer are one extent. */
  extents(offset?: number, length?: number, io?: ExtentsIo): AsyncIterable<DiskExtent>;
  /** A barrier: what was written before is on stable storage when it resolves. */
  flush(io?: Io): Promise<void>;
  /** Makes the disk longer, with zeroes, or shorter where `shrink` allows it. */
  resize(size: number, io?: ResizeIo): Promise<void>;
  /**
   * The content of a range is of no use any more. What the disk can give back of it, whole clusters as a rule, reads as
   * zeroes afterwards; the rest stays as it is.
   */
  discard(offset: number, length: number, io?: Io): Promise<void>;
  /** Makes a range read as zeroes, without writing them where the format has a shorter way to say so. */
  writeZeroes(offset: number, length: number, io?: ZeroesIo): Promise<void>;
  /**
   * Writes one cluster compressed, at a multiple of `info().clusterSize`; the last one of the disk may be shorter. What
   * does not get smaller is written as it is. `ERR_ARGUMENT` for a cluster that has a place already.
   */
  writeCompressed(offset: number, cluster: Uint8Array, io?: Io): Promise<void>;
  /** The internal snapshots of the image, to be listed and changed. */
  readonly snapshots: SnapshotStore;
  /** Puts the metadata right that `check` finds fault with. */
  repair(options: RepairOptions): Promise<RepairReport>;
  /** Changes what the image says of its backing disk, and not a byte of content; `undefined` for none. */
  changeBacking(backing: BackingName | undefined, io?: Io): Promise<void>;
  /** Changes features of the image, and not a byte of content. The disk takes no change afterwards: open it again. */
  amend(options: AmendOptions): Promise<void>;
  /** The dirty bitmaps of the image, to be changed. */
  readonly bitmapStore: BitmapStore;
  /** The disks that the content comes from: this one, its base, the base of that … */
  chain(): readonly DiskModule[];
  info(): LayerInfo;
  /** Holds the metadata of the image against itself, and reads nothing else. Does not look into its base. */
  check(io?: Io): Promise<CheckReport>;
  /** The dirty bitmaps that are stored with the disk. */
  bitmaps(): readonly BitmapInfo[];
  /**
   * What a bitmap says, from the start of the disk to its end; `ERR_NOT_FOUND` when there is none of that name, and
   * `ERR_CORRUPT` when it is not consistent: it may call bytes clean that have changed.
   */
  bitmapExtents(name: string, io?: BitmapExtentsIo): AsyncIterable<BitmapExtent>;
  /** The disk that holds the bytes of this one. */
  readonly downstream: DiskModule;
  /** Where the disk comes from, for people and for relative names: a path. */
  readonly location: string;
}

export type Ability = keyof Abilities;

/** A disk that has the named abilities. */
export type Able<A extends Ability> = DiskModule & Pick<Abilities, A>;

/** Whether the disk has this ability. */
export function can<A extends Ability>(disk: DiskModule, ability: A): disk is Able<A> {
  return (disk as Partial<Abilities>)[ability] !== undefined;
}
