import { DiskError, type Io, quote } from '@diskstack/core';
import { ExtentList, readFully } from '@diskstack/core/format';
import type { Sources } from './sources.ts';
import type { Target } from './target.ts';

/** Reads bytes of a target. Metadata of pools, caches and RAID sets is stored on logical volumes, too. */
export class TargetReader {
  readonly #sources: Sources;

  constructor(sources: Sources) {
    this.#sources = sources;
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
        else await this.#readPart(extents.source(index), extents.at(index), part, io);
        done += part.length;
      }
    }
  }

  #readPart(number: number, at: number, part: Uint8Array, io: Io): Promise<void> | undefined {
    const { disk, name } = this.#sources.at(number);
    const end = disk.size();
    if (at + part.length <= end) return readFully(disk, at, part, io);
    throw new DiskError(
      'ERR_TRUNCATED',
      `bytes up to ${at + part.length} of ${quote(name)} are needed, which ends at ${end}`,
      { offset: at },
    );
  }
}
