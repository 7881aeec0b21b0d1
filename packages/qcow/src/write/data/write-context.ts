import type { DiskModule, Io } from '@diskstack/core';
import type { Compress, OpenContext, WriteEngine } from '@diskstack/core/format';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import type { ClusterEntries } from '../metadata/cluster-entries.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { PlanContext } from './cow-plan.ts';

/** What is known about an image when it is opened for writing. */
export interface WriteParts {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
  readonly entries: ClusterEntries;
  readonly base: DiskModule | undefined;
  readonly encrypted: boolean;
  /** The external data file holds the guest disk byte for byte (`data_file_raw`). */
  readonly rawData: boolean;
  readonly compress: Compress;
  /** Where the keys of the image and the ciphers come from. */
  readonly access: Pick<OpenContext, 'keyFor' | 'crypto'>;
}

/** What every change of guest clusters needs. */
export interface WriteContext extends WriteParts, PlanContext {
  /** Resolves when the image may be changed. Every change awaits it first. */
  prepare(): Promise<void>;
  /** Like `prepare`, and flushes when changed tables take too much memory. */
  ready(io: Io): Promise<void>;
  /**
   * Records in the dirty bitmaps that guest bytes are about to change. For changes that the engine does not know about:
   * it records its own requests itself.
   */
  record(offset: number, length: number): Promise<void> | undefined;
  /** Writes guest bytes. The caller has exclusive access to their clusters. */
  readonly write: WriteEngine['write'];
}
