import type { ProbeWindow } from '../contracts/probe-window.ts';
import type { DiskModule, Io } from './disk-module.ts';
import type { Json } from './layer-info.ts';
import type { Limits, Logger } from './services.ts';

/** A disk that a layout may look at: open, and the caller's for as long as the volumes on it are in use. */
export interface LayoutMember {
  readonly disk: DiskModule;
  /** What the caller calls it, for messages: `'lun.qcow2#p2'`. Quote it. */
  readonly path: string;
}

/** What a layout may use. */
export interface LayoutContext {
  readonly limits: Limits;
  readonly logger: Logger;
}

/** How a volume is opened. */
export interface VolumeIo extends Io {
  /** `'first'`: of the copies of a member the first one is meant. Default: a volume with `copies` is refused. */
  readonly copies?: 'first' | undefined;
}

/**
 * What a volume is: a partition, a logical volume, or a word of the layout's own (`'member'` of a container, `'array'` …).
 * Partitions alone may be members of a group without being named by the caller.
 */
export type VolumeKind = 'partition' | 'lv' | (string & {});

/** A disk that a layout found: a partition, or a logical volume. */
export interface Volume {
  readonly kind: VolumeKind;
  /**
   * One step of a layer path, unique in its set: `p2`, `lv:vg0/root`. Data from the disk: quote it. What a name may hold of
   * `/`, `#` and `%` is escaped (`encodeStep`); slashes of the layout's own grammar are not.
   */
  readonly layer: string;
  /** Path of the block device that the volume has on its own machine, `/dev/vg0/root`: images name volumes by it. */
  readonly device?: string | undefined;
  /** `'0x83'`, a type GUID, `'raid5_ls'`. */
  readonly type: string;
  /** Data from the disk: quote it. */
  readonly name?: string | undefined;
  /** Byte of its member at which it begins, where it is one run of bytes of one member. */
  readonly start?: number | undefined;
  /** Bytes. */
  readonly size: number;
  /** `unsupported`: known, and not read. `error`: damaged, or something that it needs is missing. */
  readonly status: 'ok' | 'unsupported' | 'error';
  /** Why it is not `ok`. */
  readonly reason?: string | undefined;
  /**
   * Further facts, under keys for JSON: `number`, `uuid`, `attributes`, `bootable` … `warnings`, a list of sentences, is what
   * the caller of `open` has to know of the content; a machine reports them to its logger.
   */
  readonly facts?: { readonly [key: string]: Json } | undefined;
  /**
   * The members that it is on and that are there more than once, by their numbers: nothing says which of two copies is the
   * current one. The volume is on the first of each.
   */
  readonly copies?: readonly (readonly number[])[] | undefined;
  /** The volumes inside of it: logical partitions of an extended one. */
  readonly children?: readonly Volume[] | undefined;
  /**
   * A handle of the caller's own, initialised; the members stay open when it is closed. Fails where the status is
   * `error`; where it is `unsupported`, a layout that knows the bytes and not their meaning may give them.
   */
  open(io?: VolumeIo): Promise<DiskModule>;
}

/** What one layout says of one disk (a partition table), or of several (a volume group). */
export interface VolumeSet {
  /** Name of the layout: `'gpt'`, `'lvm2'`. */
  readonly layout: string;
  /** Name of a volume group. Data from the disk: quote it. */
  readonly name?: string | undefined;
  /** Indexes, among the members that were asked about, of those that the set is on. */
  readonly members: readonly number[];
  readonly volumes: readonly Volume[];
  /** Why the set as a whole is damaged, and its volumes may be too few. */
  readonly problem?: string | undefined;
  /** Further facts, under keys for JSON: the uuid of a table, the sequence number of a group … */
  readonly facts?: { readonly [key: string]: Json } | undefined;
}

/** A plugin that finds several disks in one (a partition table), or in several (a volume group). */
export interface VolumeLayout {
  /** `'partition'`, `'lvm2'`. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /**
   * Of a layout whose sets lie on several disks: whether this disk may be part of one, judged by its first bytes. A
   * layout without it finds its sets on one disk, and is asked about one at a time.
   */
  readonly joins?: ((window: ProbeWindow) => boolean) | undefined;
  /**
   * The sets on these disks. Of two members that are copies of each other (a snapshot and its origin) the first one is the
   * member of the set; a volume that is on it says so in `copies`. A disk that has nothing of this layout is passed over in silence; one that has something and
   * is damaged gives a set with a `problem`, or volumes with a reason. Only aborts and failing storages throw.
   */
  find(members: readonly LayoutMember[], context: LayoutContext, io?: Io): Promise<readonly VolumeSet[]>;
  /**
   * The volume of one step on a disk, for a layout with too many to list (the members of a container): asked when an address
   * leads there and `find` did not list it. The step is as in `Volume.layer`. `undefined` where there is none.
   */
  step?(member: LayoutMember, step: string, context: LayoutContext, io?: Io): Promise<Volume | undefined>;
}
