import type { DiskModule } from '../contracts/disk-module.ts';
import { PassThroughDisk } from './pass-through.ts';

/** A range of another disk, as a disk. It adds no layer to `diskType`, and owns the other disk. */
export class SliceDisk extends PassThroughDisk {
  /** `start` and `length` are bytes of `downstream`. Default length: up to its end. */
  constructor(downstream: DiskModule, start: number, length?: number) {
    super(downstream, { start, length });
  }
}
