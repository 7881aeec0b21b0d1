import type { DiskModule, Limits } from '@diskstack/core';
import type { AreaModel, LvModel, SegmentModel } from './metadata/group-model.ts';
import type { LazyTable } from './targets/lazy-table.ts';
import type { Target } from './targets/target.ts';
import type { TargetReader } from './targets/target-reader.ts';

/** The services of the volume group for a segment that is being opened. */
export interface SegmentContext {
  /** The logical volume that the segment belongs to. */
  readonly lv: LvModel;
  /** Size of an extent in bytes. */
  readonly extentBytes: number;
  readonly limits: Limits;
  /** Reads metadata that is stored on a target. */
  readonly reader: TargetReader;
  /** `size` bytes of a physical or logical volume. Throws if that volume is missing or damaged. */
  area(area: AreaModel, size: number): Promise<Target>;
  /** The whole of another logical volume. Throws if it is missing or damaged. */
  volume(name: string): Promise<Target>;
  /** The metadata of another logical volume. */
  model(name: string): LvModel;
  /** Calls `make` for the first segment of the group that asks for `key`; all others share its result. */
  once<T>(key: string, make: () => T): T;
  /** A target for a disk whose bytes are computed, not stored. Opens the disk. `name` is for messages. */
  computed(disk: DiskModule, name: string): Promise<Target>;
  /** Registers a table that is loaded when the volume is opened. */
  needs(table: LazyTable): void;
  /** Reports a condition that does not prevent reading. */
  warn(warning: string): void;
  /** Reports that copies or parity replace something that is missing, and marks the volume as degraded. */
  degraded(warning: string): void;
}

/** A segment type: one way to store the bytes of a logical volume on other volumes. */
export interface SegmentType {
  /** Values of `type` in the metadata text. */
  readonly names: readonly string[];
  /** Bytes can be overwritten in place. Default: false, because writes would also change metadata of the type. */
  readonly writable?: boolean;
  /** Opens a segment of `size` bytes. Throws a `DiskError` if it cannot be read; the volume then has that error. */
  open(segment: SegmentModel, size: number, context: SegmentContext): Promise<Target> | Target;
}
