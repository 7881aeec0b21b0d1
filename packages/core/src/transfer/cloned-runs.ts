import { roundUp } from '../binary/safe-number.ts';
import { type Able, can } from '../contracts/abilities.ts';
import type { Cloner } from '../contracts/cloner.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { sourceOf } from '../mapping/extent-source.ts';
import { diskRuns, mergedRuns, type Run } from './disk-runs.ts';

/** The parts of `WritingOptions` that decide about clones. */
interface CloneOptions {
  readonly clone?: boolean | undefined;
  readonly minZeroes?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
}

/** Whether a transfer may share stored bytes instead of reading them: nothing asks it to look at them or to slow down. */
export function mayClone({ clone, minZeroes, bytesPerSecond }: CloneOptions): boolean {
  return clone ?? (minZeroes === undefined && bytesPerSecond === undefined);
}

/** Shorter data is read and written: that takes no longer than to clone it, and the target has fewer fragments. */
const SHORTEST = 32 * 1024;

/**
 * The runs of a disk that have to be read and written, as `diskRuns`. What can be cloned into the target instead is cloned, and is
 * a gap between the runs.
 */
export async function* clonedRuns(
  source: DiskModule,
  target: DiskModule,
  io: Io,
  onCloned: (length: number) => void,
): AsyncGenerator<Run> {
  if (!can(target, 'cloneFrom') || !can(source, 'extents')) return yield* diskRuns(source, io);
  const cloning = new ExtentCloner(source, target);
  yield* mergedRuns(notCloned(source, cloning, io, onCloned), io);
}

async function* notCloned(
  source: Able<'extents'>,
  cloning: ExtentCloner,
  io: Io,
  onCloned: (length: number) => void,
): AsyncGenerator<Pick<DiskExtent, 'offset' | 'length' | 'kind'>> {
  for await (const extent of source.extents(0, source.size(), io)) {
    const { offset, length, kind } = extent;
    const cloned = cloning.mayClone(extent) ? await cloning.clone(extent, io) : undefined;
    if (cloned === undefined) {
      yield extent;
      continue;
    }
    const [from, to] = [cloned.offset, cloned.offset + cloned.length];
    if (offset < from) yield { offset, length: from - offset, kind };
    onCloned(cloned.length);
    if (to < offset + length) yield { offset: to, length: offset + length - to, kind };
  }
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Clones extents of one disk to the same guest offsets of another. */
export class ExtentCloner {
  readonly #source: DiskModule;
  readonly #target: Able<'cloneFrom'>;
  /** By the disks that the extents name. `undefined`: the two share nothing. */
  readonly #cloners = new Map<DiskModule, Cloner | undefined>();

  constructor(source: DiskModule, target: Able<'cloneFrom'>) {
    this.#source = source;
    this.#target = target;
  }

  /** Whether it is worth a try. Makes no promise, because most extents of most disks cannot be cloned. */
  mayClone(extent: DiskExtent): boolean {
    if (extent.kind !== 'data' || extent.at === undefined || extent.length < SHORTEST) return false;
    const stored = sourceOf(this.#source, extent);
    return !this.#cloners.has(stored) || this.#cloners.get(stored) !== undefined;
  }

  /** Clones as much of the extent as has whole blocks. Returns the guest range that is cloned, `undefined` if nothing is. */
  async clone(extent: DiskExtent, io: Io): Promise<Range | undefined> {
    const stored = sourceOf(this.#source, extent);
    const cloner = await this.#clonerOf(stored);
    if (cloner === undefined) return undefined;
    const { offset, at = 0 } = extent;
    // Bytes past the end of a file that read as zeroes cannot be cloned, and neither can a block that the file ends in.
    const available = Math.min(extent.length, stored.size() - at, this.#target.size() - offset);
    const from = roundUp(offset, cloner.unit);
    const to = offset + available - ((offset + available) % cloner.unit);
    const range = { offset: from, length: to - from };
    const fits = (at + from - offset) % cloner.blockSize === 0;
    if (!fits || range.length < SHORTEST) return undefined;
    if (await cloner.clone(at + from - offset, from, range.length, io)) return range;
    this.#cloners.set(stored, undefined);
    return undefined;
  }

  async #clonerOf(stored: DiskModule): Promise<Cloner | undefined> {
    if (!this.#cloners.has(stored)) this.#cloners.set(stored, await this.#target.cloneFrom(stored));
    return this.#cloners.get(stored);
  }
}
