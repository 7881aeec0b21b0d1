import type { DiskModule } from '../contracts/disk-module.ts';
import { PassThroughDisk } from './pass-through.ts';

export interface BorrowOptions {
  /** Name that the handle adds to `diskType`: `'LVM2'`. Default: the `diskType` of the disk. */
  readonly diskType?: string;
  readonly location?: string;
  /** Refuses writes through the handle. Default: false. */
  readonly readOnly?: boolean;
  /** Called once, when the handle closes. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** A handle on a disk that has another owner. Closing the handle leaves the disk open. */
export function borrow(disk: DiskModule, options: BorrowOptions = {}): DiskModule {
  const { release = async () => {}, ...more } = options;
  return new PassThroughDisk(disk, { ...more, close: release });
}
