import { breathe } from '../async/breathe.ts';
import { SECTOR } from '../binary/sector.ts';
import { type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { ReadOnlyDisk } from '../disks/disk-base.ts';
import { DiskError, type DiskErrorCode, throwIfAborted } from '../errors/disk-error.ts';
import { clipRange, readFully } from '../io/range.ts';
import { mergeExtents } from '../mapping/merge-extents.ts';

/** A range of guest bytes that cannot be read. */
export interface UnreadableRange {
  readonly offset: number;
  readonly length: number;
  readonly error: DiskError;
}

export interface SalvageOptions {
  /** Called for each unreadable range, when it is read: a cluster, or some of its sectors. */
  readonly onUnreadable: (range: UnreadableRange) => void;
}

/** Errors that are not about damaged bytes. They are thrown, because they end the work or the caller can fix their cause. */
const NOT_SALVAGED: ReadonlySet<DiskErrorCode> = new Set([
  'ERR_ABORTED',
  'ERR_ARGUMENT',
  'ERR_STATE',
  'ERR_INTERNAL',
  'ERR_UNSUPPORTED',
  'ERR_WRONG_KEY',
  'ERR_BACKING_DENIED',
  'ERR_BACKING_MISMATCH',
  'ERR_BACKING_NOT_OPEN',
]);
/** Errors of the storage, which may affect only some sectors of a cluster. */
const OF_STORAGE: ReadonlySet<DiskErrorCode> = new Set([
  'ERR_IO',
  'ERR_SHORT_READ',
  'ERR_CHANGED',
  'ERR_TRUNCATED',
]);

/** Cluster size of disks that do not report one, in bytes. */
const DEFAULT_CLUSTER = 65_536;
/** Guest bytes of one query for extents. If the smallest query fails, its range counts as data. */
const SMALLEST_WINDOW = 16 * 1024 * 1024;
const LARGEST_WINDOW = 2 ** 40;
/** If a query returns this many extents or more, the next one is not larger. */
const FEW_EXTENTS = 256;

/**
 * Returns a read-only handle on a damaged disk. Unreadable ranges read as zeroes and are reported. Closing the handle leaves
 * the disk open.
 *
 * The reported ranges are as small as the damage allows: the clusters of a damaged table, a cluster with damaged compressed
 * bytes, the sectors that the storage cannot read.
 */
export function salvaged(disk: DiskModule, options: SalvageOptions): DiskModule {
  return new SalvagedDisk(disk, options);
}

class SalvagedDisk extends ReadOnlyDisk implements Able<'extents'> {
  readonly location?: string;
  readonly #disk: DiskModule;
  readonly #options: SalvageOptions;
  #clusterSize = DEFAULT_CLUSTER;
  #sector = SECTOR;

  protected readonly readOnlyReason = 'a salvaged disk is read-only';

  constructor(disk: DiskModule, options: SalvageOptions) {
    super();
    this.#disk = disk;
    this.#options = options;
    if (can(disk, 'location')) this.location = disk.location;
  }

  get diskType(): string {
    return this.#disk.diskType;
  }

  get blockSize(): number {
    return this.#disk.blockSize;
  }

  protected async open(io: Io): Promise<void> {
    await this.#disk.init(io);
    const clusterSize = can(this.#disk, 'info') ? this.#disk.info().clusterSize : undefined;
    this.#clusterSize = clusterSize ?? DEFAULT_CLUSTER;
    this.#sector = Math.max(SECTOR, this.#disk.blockSize);
  }

  protected length(): number {
    return this.#disk.size();
  }

  protected fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    try {
      const reading = readFully(this.#disk, offset, into, io);
      return reading?.catch((error: unknown) => this.#salvage(offset, into, io, error));
    } catch (error) {
      return this.#salvage(offset, into, io, error);
    }
  }

  /** Reads a range cluster by cluster, after reading it whole has failed. */
  async #salvage(offset: number, into: Uint8Array, io: Io, cause: unknown): Promise<void> {
    faultOf(cause);
    for (let at = 0; at < into.length; ) {
      const end = Math.min(into.length, at + this.#clusterSize - ((offset + at) % this.#clusterSize));
      const part = into.subarray(at, end);
      const fault = await this.#try(offset + at, part, io);
      if (fault !== undefined) await this.#salvageCluster(offset + at, part, io, fault);
      at = end;
    }
  }

  async #salvageCluster(offset: number, into: Uint8Array, io: Io, fault: DiskError): Promise<void> {
    if (!OF_STORAGE.has(fault.code) || (await this.#failsAsOne(offset, into, io))) {
      this.#giveUp(offset, into, fault);
      return;
    }
    for (let at = 0; at < into.length; ) {
      const end = Math.min(into.length, at + this.#sector - ((offset + at) % this.#sector));
      const part = into.subarray(at, end);
      const broken = await this.#try(offset + at, part, io);
      if (broken !== undefined) this.#giveUp(offset + at, part, broken);
      at = end;
    }
  }

  /**
   * Whether the first and the last sector of a cluster fail at the same byte of the same file. The damage is then in the metadata
   * of the cluster and not in its bytes. This saves a hundred reads for each cluster of an unreadable table.
   */
  async #failsAsOne(offset: number, into: Uint8Array, io: Io): Promise<boolean> {
    const first = await this.#try(offset, into.subarray(0, this.#sector), io);
    if (first?.offset === undefined) return false;
    const lastAt = into.length - Math.min(this.#sector, into.length);
    const last = await this.#try(offset + lastAt, into.subarray(lastAt), io);
    return last?.offset === first.offset && last.layer === first.layer;
  }

  /** Reads a range. Returns the error, or `undefined` on success. */
  async #try(offset: number, into: Uint8Array, io: Io): Promise<DiskError | undefined> {
    throwIfAborted(io.signal);
    const pause = breathe();
    if (pause !== undefined) await pause;
    try {
      await readFully(this.#disk, offset, into, io);
      return undefined;
    } catch (error) {
      return faultOf(error);
    }
  }

  #giveUp(offset: number, into: Uint8Array, error: DiskError): void {
    into.fill(0);
    this.#options.onUnreadable({ offset, length: into.length, error });
  }

  /** The extents of the disk. Ranges whose extents cannot be read are data. */
  async *extents(offset = 0, length?: number, io: ExtentsIo = {}): AsyncIterable<DiskExtent> {
    const end = offset + clipRange(this.size(), offset, length);
    yield* mergeExtents(this.#extentsByWindows(offset, end, io));
  }

  async *#extentsByWindows(offset: number, end: number, io: ExtentsIo): AsyncGenerator<DiskExtent> {
    let window = can(this.#disk, 'extents') ? SMALLEST_WINDOW : end - offset;
    for (let at = offset; at < end; ) {
      const bytes = Math.min(window, end - at);
      const found = await this.#extentsOf(at, bytes, io);
      if (found === undefined && window > SMALLEST_WINDOW && can(this.#disk, 'extents')) {
        window = SMALLEST_WINDOW;
        continue;
      }
      yield* found ?? [{ offset: at, length: bytes, kind: 'data', depth: 0, present: true }];
      if (found !== undefined && found.length < FEW_EXTENTS) window = Math.min(LARGEST_WINDOW, window * 2);
      else if (window > SMALLEST_WINDOW) window /= 2;
      at += bytes;
    }
  }

  async #extentsOf(offset: number, length: number, io: ExtentsIo): Promise<DiskExtent[] | undefined> {
    if (!can(this.#disk, 'extents')) return undefined;
    const found: DiskExtent[] = [];
    try {
      // Without its place: a transfer that cloned the stored bytes would not find out what cannot be read.
      for await (const { at: _at, source: _source, ...extent } of this.#disk.extents(offset, length, io))
        found.push(extent);
      return found;
    } catch (error) {
      faultOf(error);
      return undefined;
    }
  }

  protected async release(): Promise<void> {}
}

/** Returns an error about damaged bytes. Throws any other error. */
function faultOf(error: unknown): DiskError {
  if (error instanceof DiskError && !NOT_SALVAGED.has(error.code)) return error;
  throw error;
}
