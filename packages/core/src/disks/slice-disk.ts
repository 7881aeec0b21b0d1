import type { DiskModule } from '../contracts/disk-module.ts';
import { PassThroughDisk } from './pass-through.ts';

/** A run of bytes of another disk, as a disk. It adds no layer to `diskType`, and owns the disk that it cuts from. */
export class SliceDisk extends PassThroughDisk {
  /** `start` and `length` in bytes of `downstream`; without a length to its end. */
  constructor(downstream: DiskModule, start: number, length?: number) {
    super(downstream, { start, length });
  }
}
