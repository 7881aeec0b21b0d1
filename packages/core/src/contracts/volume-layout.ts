import type { ProbeWindow } from '../contracts/probe-window.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { Json } from './layer-info.ts';
import type { Limits, Logger } from './services.ts';

/** An open disk that a layout searches for volumes. The caller owns it, and keeps it open while volumes on it are in use. */
export interface LayoutMember {
  readonly disk: DiskModule;
  /** The caller's name of the disk, for messages: `'lun.qcow2#p2'`. Print it with `quote`. */
  readonly path: string;
}

/** Services that a layout may use. */
export interface LayoutContext {
  readonly limits: Limits;
  readonly logger: Logger;
}

/** How a volume is opened. */
export interface VolumeIo extends Io {
  /** `'first'`: use the first copy of each member that exists more than once. Default: refuse a volume with `copies`. */
  readonly copies?: 'first' | undefined;
}

/**
 * The kind of a volume: a partition, a logical volume, or a word of the layout (`'member'` of a container, `'array'` …). Only
 * partitions are tried as members of a group by default; the caller has to name any other volume.
 */
export type VolumeKind = 'partition' | 'lv' | (string & {});

/** A disk that a layout found: a partition, or a logical volume. */
export interface Volume {
  readonly kind: VolumeKind;
  /**
   * One step of a layer path, unique in its set: `p2`, `lv:vg0/root`. Data from the disk: print it with `quote`. Any `/`, `#` and
   * `%` in a name is escaped (`encodeStep`); slashes of the layout's own syntax are not.
   */
  readonly layer: string;
  /** Path of the block device of the volume on its own machine: `/dev/vg0/root`. Images name volumes by this path. */
  readonly device?: string | undefined;
  /** Type in the terms of the layout: `'0x83'`, a type GUID, `'raid5_ls'`. */
  readonly type: string;
  /** Data from the disk: quote it. */
  readonly name?: string | undefined;
  /** Byte offset in its member at which the volume begins. Absent if the volume is not one run of bytes of one member. */
  readonly start?: number | undefined;
  /** Size in bytes. */
  readonly size: number;
  /** `unsupported`: of a known type that cannot be read. `error`: damaged, or a part of it is missing. */
  readonly status: 'ok' | 'unsupported' | 'error';
  /** Why `status` is not `ok`. */
  readonly reason?: string | undefined;
  /**
   * More facts, with keys for JSON: `number`, `uuid`, `attributes`, `bootable` … `warnings` is a list of sentences about the
   * content that the caller of `open` should know; a machine passes them to its logger.
   */
  readonly facts?: { readonly [key: string]: Json } | undefined;
  /**
   * Members of the volume that exist more than once: for each, the numbers of all its copies. Nothing proves which copy is the
   * current one. The volume uses the first copy of each.
   */
  readonly copies?: readonly (readonly number[])[] | undefined;
  /** Volumes inside this one: the logical partitions of an extended partition. */
  readonly children?: readonly Volume[] | undefined;
  /**
   * Opens the volume, initialised. The caller owns the handle; closing it leaves the members open. Fails if `status` is `error`.
   * If it is `unsupported`, a layout may still return the raw bytes of the volume.
   */
  open(io?: VolumeIo): Promise<DiskModule>;
}

/** The volumes that a layout finds on one disk (a partition table) or on several (a volume group). */
export interface VolumeSet {
  /** Name of the layout: `'gpt'`, `'lvm2'`. */
  readonly layout: string;
  /** Name of a volume group. Data from the disk: quote it. */
  readonly name?: string | undefined;
  /** Indexes, in the `members` argument of `find`, of the disks that the set is on. */
  readonly members: readonly number[];
  readonly volumes: readonly Volume[];
  /** The damage of the set as a whole: volumes may be missing from it. */
  readonly problem?: string | undefined;
  /** More facts, with keys for JSON: the uuid of a table, the sequence number of a group … */
  readonly facts?: { readonly [key: string]: Json } | undefined;
}

/** A plugin that finds volumes on one disk (a partition table) or on several (a volume group). */
export interface VolumeLayout {
  /** `'partition'`, `'lvm2'`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /**
   * For layouts whose sets span several disks: returns whether this disk may be a member of a set, judged by `window`. Absent:
   * each set is on one disk, and `find` gets one disk at a time.
   */
  readonly joins?: ((window: ProbeWindow) => boolean) | undefined;
  /**
   * Finds the sets on these disks. If members are copies of each other (a snapshot and its origin), the set uses the first one,
   * and its volumes report the others in `copies`. A disk without this layout is ignored. A damaged disk results in a set with a
   * `problem`, or in volumes with a `reason`. Only aborts and storage errors are thrown.
   */
  find(members: readonly LayoutMember[], context: LayoutContext, io?: Io): Promise<readonly VolumeSet[]>;
  /**
   * Finds one volume of a disk by its step (as in `Volume.layer`), for layouts with too many volumes to list (the members of a
   * container). Called for a step of an address that `find` did not list. Returns `undefined` if there is no such volume.
   */
  step?(member: LayoutMember, step: string, context: LayoutContext, io?: Io): Promise<Volume | undefined>;
}
