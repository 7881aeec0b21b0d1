import type { DiskModule, Limits } from '@diskstack/core';
import type { AreaModel, LvModel, SegmentModel } from './metadata/group-model.ts';
import type { Target } from './targets/target.ts';
import type { TargetReader } from './targets/target-reader.ts';

/** A table that has to be read whole before a volume can say where its bytes are. */
export interface LazyTable {
  /** At once when it has been read. */
  load(): Promise<void> | undefined;
}

/** What a segment may ask of the volume group while it is made. */
export interface SegmentContext {
  /** The volume that the segment is of. */
  readonly lv: LvModel;
  /** Bytes. */
  readonly extentBytes: number;
  readonly limits: Limits;
  readonly reader: TargetReader;
  /** `size` bytes of a physical volume, or of another logical one. Fails where it is missing or damaged. */
  area(area: AreaModel, size: number): Promise<Target>;
  /** Another logical volume, whole. */
  volume(name: string): Promise<Target>;
  /** What the metadata says of another logical volume. */
  model(name: string): LvModel;
  /** Something that is made once, whoever asks for it. */
  once<T>(key: string, make: () => T): T;
  /** A disk that is computed from other ones, as a target. */
  computed(disk: DiskModule, name: string): Target;
  /** To be read when the volume is opened. */
  needs(table: LazyTable): void;
  /** The volume is read, and its caller has to know this. */
  warn(warning: string): void;
  /** The same where copies or parity stand in for something that is missing. */
  degraded(warning: string): void;
}

/** A type of segments: one way in which the bytes of a logical volume are on others. */
export interface SegmentType {
  /** As metadata text has them. */
  readonly names: readonly string[];
  /** Writes go through to where the bytes are. Every other type would have metadata of its own to change. */
  readonly writable?: boolean;
  /** `size` is the segment's, in bytes. */
  open(segment: SegmentModel, size: number, context: SegmentContext): Promise<Target> | Target;
}
