import { can, DiskError, type DiskModule, type Io } from '@diskstack/core';
import { Mutex, roundUp, writeFully } from '@diskstack/core/format';
import type { MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';

/** The file grows by this fraction of its size, so that it grows rarely … */
const GROWTH = 1 / 8;
/** … but by no more than this. */
const MOST_GROWTH = 16 * 1024 * 1024;

/** The image file for its writer: grows on demand, checks every write against the guard, and has barriers. */
export class ImageFile {
  readonly disk: DiskModule;
  /** The external data file, which holds the guest clusters instead of the image. */
  readonly dataFile: DiskModule | undefined;
  readonly #guard: OverlapGuard;
  readonly #clusterSize: number;
  /** The file has never held data from this byte on: it reads as zeroes there. */
  #freshFrom: number;
  /**
   * Size of the file when it was opened. Bytes before it may be in use whatever their refcounts, unless this writer
   * freed them.
   */
  readonly #openedEnd: number;
  readonly #growing = new Mutex();

  constructor(disk: DiskModule, dataFile: DiskModule | undefined, guard: OverlapGuard, clusterSize: number) {
    this.disk = disk;
    this.dataFile = dataFile;
    this.#guard = guard;
    this.#clusterSize = clusterSize;
    this.#openedEnd = disk.size();
    this.#freshFrom = this.canGrow ? roundUp(disk.size(), clusterSize) : Number.POSITIVE_INFINITY;
  }

  get canGrow(): boolean {
    return can(this.disk, 'resize');
  }

  /**
   * Whether these bytes have never been written, so that they read as zeroes. True only once: the caller is about to
   * write.
   */
  takeFresh(at: number, length: number): boolean {
    const isFresh = at >= this.#freshFrom;
    if (Number.isFinite(this.#freshFrom)) this.#freshFrom = Math.max(this.#freshFrom, at + length);
    return isFresh;
  }

  /** Makes the file at least `end` bytes long. */
  reach(end: number): Promise<void> | undefined {
    return this.#reach(this.disk, end);
  }

  /** Makes the disk that holds the guest clusters at least `end` bytes long. */
  reachData(end: number): Promise<void> | undefined {
    return this.#reach(this.dataFile ?? this.disk, end);
  }

  #reach(disk: DiskModule, end: number): Promise<void> | undefined {
    if (end <= disk.size()) return undefined;
    return this.#growing.run(() => this.#grow(disk, end));
  }

  async #grow(disk: DiskModule, end: number): Promise<void> {
    const size = disk.size();
    if (end <= size) return;
    if (!can(disk, 'resize')) {
      throw new DiskError('ERR_NO_SPACE', `the disk below has ${size} bytes and cannot grow to ${end}`);
    }
    const spare = disk === this.dataFile ? 0 : Math.min(MOST_GROWTH, Math.floor(size * GROWTH));
    try {
      await disk.resize(roundUp(end + spare, this.#clusterSize));
    } catch (error) {
      if (spare === 0) throw error;
      await disk.resize(roundUp(end, this.#clusterSize));
    }
  }

  async writeMetadata(kind: MetadataKind, at: number, bytes: Uint8Array): Promise<void> {
    this.#guard.checkMetadata(kind, at, bytes.length);
    await this.#write(at, bytes, {});
  }

  /** Writes compressed data, which the engine does not write itself. */
  async writeData(at: number, bytes: Uint8Array, io: Io): Promise<void> {
    this.#guard.checkData(at, bytes.length);
    await this.#write(at, bytes, io);
  }

  async #write(at: number, bytes: Uint8Array, io: Io): Promise<void> {
    await this.reach(at + bytes.length);
    await writeFully(this.disk, at, bytes, io);
  }

  /** Resolves when all earlier writes are on stable storage. */
  async barrier(): Promise<void> {
    for (const disk of [this.dataFile, this.disk]) {
      if (disk !== undefined && can(disk, 'flush')) await disk.flush();
    }
  }

  /**
   * Truncates the file at byte `end`, after the last cluster in use. Original bytes are cut only where `isFreed` says
   * so.
   */
  async trim(end: number, isFreed: (cluster: number) => boolean): Promise<void> {
    if (!can(this.disk, 'resize')) return;
    let opened = Math.ceil(this.#openedEnd / this.#clusterSize);
    while (opened * this.#clusterSize > end && isFreed(opened - 1)) opened--;
    const kept = Math.max(end, Math.min(opened * this.#clusterSize, this.#openedEnd));
    if (kept >= this.disk.size()) return;
    // Even after a crash, nothing may refer to the bytes that are cut off.
    if (kept < this.#openedEnd) await this.barrier();
    await this.disk.resize(kept, { shrink: true });
  }
}
