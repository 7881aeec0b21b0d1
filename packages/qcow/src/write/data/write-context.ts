import type { Compress, DiskModule, Io, WriteEngine } from '@diskstack/core';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import type { ClusterEntries } from '../metadata/cluster-entries.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { PlanContext } from './cow-plan.ts';

/** What is known of an image when it is opened for writing. */
export interface WriteParts {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  readonly base: DiskModule | undefined;
  readonly encrypted: boolean;
  /** The external data file is to be what the guest sees, byte for byte. */
  readonly rawData: boolean;
  readonly compress: Compress | undefined;
}

/** What changes of guest clusters work on. */
export interface WriteContext extends WriteParts, PlanContext {
  /** Ends when the image may be changed. To be awaited before every change. */
  prepare(): Promise<void>;
  /** As `prepare`, and there is room in memory for changed tables. */
  ready(io: Io): Promise<void>;
  /**
   * Guest bytes are about to change, by work that the engine does not know of: bitmaps record it. The engine itself
   * records what it is asked for.
   */
  record(offset: number, length: number): Promise<void> | undefined;
  /** Writes guest bytes, for work that has their clusters for itself. */
  readonly write: WriteEngine['write'];
}
