import type { Io } from '@diskstack/core';
import { ExtentList, readFully } from '@diskstack/core/format';
import { DeviceSpace, type DeviceTable } from '../devices/device-space.ts';
import type { Target } from './target.ts';

/** Reads bytes of a target. Metadata of pools, caches and RAID sets is stored on logical volumes, too. */
export class TargetReader {
  readonly #space: DeviceSpace;

  constructor(table: DeviceTable) {
    this.#space = new DeviceSpace(table, []);
  }

  /** Fills `into` from byte `offset` of the target. All of the range must be inside the target. */
  async read(target: Target, offset: number, into: Uint8Array, io: Io = {}): Promise<void> {
    const extents = new ExtentList();
    let done = 0;
    while (done < into.length) {
      extents.clear();
      await target.translate(offset + done, into.length - done, extents, io);
      for (let index = 0; index < extents.count; index++) {
        const part = into.subarray(done, done + extents.length(index));
        if (extents.kind(index) === 'zero') part.fill(0);
        else await readFully(this.#space, extents.at(index), part, io);
        done += part.length;
      }
    }
  }
}
