import { andThen } from '../async/maybe-promise.ts';
import { untilAborted } from '../async/until-aborted.ts';
import { roundUp } from '../binary/safe-number.ts';
import type { Decompress, DecompressJob } from '../contracts/codec.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { Limits } from '../contracts/services.ts';
import { DiskError } from '../errors/disk-error.ts';
import { hex } from '../errors/text.ts';
import { readFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { ClusterCache } from './cluster-cache.ts';
import type { ExtentList } from './extent-list.ts';
import type { InflationBudget } from './inflation-budget.ts';

/** Maximum stored bytes that one read of a run fetches: 32 incompressible clusters of 64 KiB. */
const RUN_BYTES = 2 * 1024 * 1024;
/** Largest gap between two stored clusters of a run: its bytes are read and discarded, which is faster than a second read. */
const RUN_GAP = 4096;
/** Minimum clusters of a run to decompress on other threads. */
const MIN_TOGETHER = 4;
/** Maximum buffers for stored bytes that are kept for reuse. */
const SPARE_BUFFERS = 4;

/**
 * Returns the end (exclusive) of the run of extents that can be read together with `first`: whole clusters that follow it in the
 * list and in the file. A partial cluster is a run by itself.
 */
export function compressedRunEnd(extents: ExtentList, first: number): number {
  const start = extents.at(first);
  let stop = start + extents.stored(first);
  let index = first + 1;
  if (extents.length(first) !== extents.unit(first)) return index;
  const [source, codec] = [extents.source(first), extents.codec(first)];
  for (; index < extents.count; index++) {
    if (extents.kind(index) !== 'compressed' || extents.length(index) !== extents.unit(first)) break;
    if (extents.source(index) !== source || extents.codec(index) !== codec) break;
    const at = extents.at(index);
    const next = at + extents.stored(index);
    if (at < start || at > stop + RUN_GAP || next - start > RUN_BYTES) break;
    stop = Math.max(stop, next);
  }
  return index;
}

/**
 * Reads the compressed clusters of one source and codec. Adjacent whole clusters are read together, and decompressed on other
 * threads if the codec supports it. Partial clusters go through a bounded cache.
 */
export class ClusterReader {
  readonly #disk: DiskModule;
  readonly #decompress: Decompress;
  readonly #budget: InflationBudget;
  /** Decompressed clusters that were read in part, by host offset. */
  readonly #cache: ClusterCache;
  readonly #spareBuffers: Uint8Array[] = [];
  #ready: Promise<void> | undefined;
  #isReady: boolean;

  constructor(
    disk: DiskModule,
    decompress: Decompress | undefined,
    { clusterCacheBytes }: Limits,
    budget: InflationBudget,
  ) {
    this.#disk = disk;
    this.#decompress = decompress ?? noDecompressor;
    this.#budget = budget;
    this.#cache = new ClusterCache(clusterCacheBytes);
    this.#isReady = this.#decompress.ready === undefined;
  }

  /**
   * Fills `into`, at guest offset `offset`, with the extents from `first` to `end` (exclusive), a run as by `compressedRunEnd`.
   */
  read(
    extents: ExtentList,
    first: number,
    end: number,
    offset: number,
    into: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const work = (): Promise<void> | undefined =>
      end - first > 1
        ? this.#readRun(extents, first, end, offset, into, io)
        : this.#readOne(extents, first, offset, into, io);
    return this.#isReady ? work() : this.#getReady().then(work);
  }

  /** Clears the cache, because clusters were freed or overwritten. */
  forget(): void {
    this.#cache.clear();
  }

  /** Loads the decompressor, before the first cluster. */
  #getReady(): Promise<void> {
    this.#ready ??= (this.#decompress.ready?.() ?? Promise.resolve()).then(() => {
      this.#isReady = true;
    });
    return this.#ready;
  }

  /** Offset of the end of the stored bytes. The file may end inside the last cluster, since `stored` is an upper bound. */
  #storedEnd(extents: ExtentList, index: number): number {
    const at = extents.at(index);
    const end = this.#disk.size();
    if (at < end) return Math.min(at + extents.stored(index), end);
    throw new DiskError(
      'ERR_TRUNCATED',
      `a compressed cluster begins at byte ${at}, but the file ends at ${end}`,
      { offset: at },
    );
  }

  #readRun(
    extents: ExtentList,
    first: number,
    end: number,
    offset: number,
    into: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const places: number[] = []; // copied, because the list may be reused before the read ends
    let stop = 0;
    for (let index = first; index < end; index++) {
      places.push(extents.at(index));
      stop = Math.max(stop, this.#storedEnd(extents, index));
    }
    const start = extents.at(first);
    const buffer = this.#takeBuffer(stop - start);
    const stored = buffer.subarray(0, stop - start);
    const unit = extents.unit(first);
    const jobs = places.map((at, index) => ({
      stored: stored.subarray(at - start, this.#storedEnd(extents, first + index) - start),
      into: into.subarray(index * unit, (index + 1) * unit),
    }));
    this.#budget.spend(into.length);
    const reading = readFully(this.#disk, start, stored, io);
    const inflating =
      reading === undefined
        ? this.#inflateAll(jobs, places, offset)
        : reading.then(() => this.#inflateAll(jobs, places, offset));
    if (inflating !== undefined) return inflating.then(() => this.#keepBuffer(buffer));
    this.#keepBuffer(buffer);
    return undefined;
  }

  #inflateAll(
    jobs: readonly DecompressJob[],
    places: readonly number[],
    offset: number,
  ): Promise<void> | undefined {
    const { together } = this.#decompress;
    if (together !== undefined && jobs.length >= MIN_TOGETHER) {
      return together(jobs).then((failures) => {
        const failed = failures.findIndex((failure) => failure !== undefined);
        if (failed < 0) return;
        const job = jobs[failed] as DecompressJob;
        throw brokenCluster(
          job.stored,
          job.into,
          places[failed] as number,
          offset + failed * job.into.length,
          failures[failed],
        );
      });
    }
    return this.#inflateEach(jobs, places, offset, 0);
  }

  /** Decompresses the clusters in sequence, from number `first`. Makes no promise if the decompressor makes none. */
  #inflateEach(
    jobs: readonly DecompressJob[],
    places: readonly number[],
    offset: number,
    first: number,
  ): Promise<void> | undefined {
    for (let index = first; index < jobs.length; index++) {
      const { stored, into } = jobs[index] as DecompressJob;
      const at = places[index] as number;
      const waiting = this.#inflateNow(stored, into, at, offset + index * into.length);
      if (waiting !== undefined)
        return waiting.then(() => this.#inflateEach(jobs, places, offset, index + 1));
    }
    return undefined;
  }

  #readOne(
    extents: ExtentList,
    index: number,
    offset: number,
    part: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const at = extents.at(index);
    const skip = extents.skip(index);
    const unit = extents.unit(index);
    const stored = this.#storedEnd(extents, index) - at;
    if (part.length === unit) return this.#inflate(at, stored, part, offset, io); // a whole cluster bypasses the cache

    const put = (cluster: Uint8Array): void => part.set(cluster.subarray(skip, skip + part.length));
    const cached = this.#cache.peek(at);
    if (cached !== undefined) {
      put(cached);
      return undefined;
    }
    let loading = this.#cache.loading(at);
    if (loading === undefined) {
      const cluster = this.#cache.take(unit);
      const inflating = this.#inflate(at, stored, cluster, offset - skip, {}); // shared by several callers, so without a signal
      if (inflating === undefined) {
        this.#cache.put(at, cluster);
        put(cluster);
        return undefined;
      }
      loading = this.#cache.adopt(at, cluster, inflating);
    }
    return untilAborted(loading, io.signal).then(put);
  }

  /** Reads `stored` bytes at `at` and decompresses them into `cluster`, whose guest offset is `offset`. */
  #inflate(
    at: number,
    stored: number,
    cluster: Uint8Array,
    offset: number,
    io: Io,
  ): Promise<void> | undefined {
    this.#budget.spend(cluster.length);
    const buffer = this.#takeBuffer(stored);
    const bytes = buffer.subarray(0, stored);
    const finish = (): Promise<void> | undefined => {
      const waiting = this.#inflateNow(bytes, cluster, at, offset);
      if (waiting !== undefined) return waiting.then(() => this.#keepBuffer(buffer));
      this.#keepBuffer(buffer);
      return undefined;
    };
    const reading = readFully(this.#disk, at, bytes, io);
    return andThen(reading, finish);
  }

  #inflateNow(
    stored: Uint8Array,
    cluster: Uint8Array,
    at: number,
    offset: number,
  ): Promise<void> | undefined {
    try {
      const waiting = this.#decompress(stored, cluster);
      if (waiting === undefined) return undefined;
      return waiting.catch((cause: unknown) => {
        throw brokenCluster(stored, cluster, at, offset, cause);
      });
    } catch (cause) {
      throw brokenCluster(stored, cluster, at, offset, cause);
    }
  }

  #takeBuffer(bytes: number): Uint8Array {
    const spare = this.#spareBuffers.pop();
    return spare !== undefined && spare.length >= bytes ? spare : transferBuffer(roundUp(bytes, 64 * 1024));
  }

  /** Keeps a buffer for reuse. Not called after a failure, because work in flight may still write to the buffer. */
  #keepBuffer(buffer: Uint8Array): void {
    if (this.#spareBuffers.length < SPARE_BUFFERS) this.#spareBuffers.push(buffer);
  }
}

const noDecompressor: Decompress = () => {
  throw new DiskError('ERR_UNSUPPORTED', 'the format has compressed clusters, but provides no decompressor');
};

function brokenCluster(
  stored: Uint8Array,
  cluster: Uint8Array,
  at: number,
  offset: number,
  cause: unknown,
): DiskError {
  if (cause instanceof DiskError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DiskError(
    'ERR_CORRUPT',
    `the compressed cluster at guest offset ${hex(offset)} (${stored.length} bytes stored, ${cluster.length} expected) does not decompress: ${why}`,
    { offset: at, cause },
  );
}
