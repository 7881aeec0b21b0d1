import type { DiskModule } from '../contracts/disk-module.ts';
import { PassThroughDisk } from './pass-through.ts';

export interface BorrowOptions {
  /** Name of the layer in the column of `diskType`, where the lender adds one: `'LVM2'`. */
  readonly diskType?: string;
  readonly location?: string;
  /** Lends for reading only. */
  readonly readOnly?: boolean;
  /** Called once, when the handle has been closed. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** A handle on a disk that somebody else owns: closing the handle leaves the disk open. */
export function borrow(disk: DiskModule, options: BorrowOptions = {}): DiskModule {
  const { release = async () => {}, ...more } = options;
  return new PassThroughDisk(disk, { ...more, close: release });
}
