import { can, DiskError, type DiskModule, hex, type Io, roundUp } from '@diskstack/core';
import type { MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';

/** The file grows by this part of its size, so that it does so seldom … */
const GROWTH = 1 / 8;
/** … and by no more than this. */
const MOST_GROWTH = 16 * 1024 * 1024;

/** The file of an image as its writer sees it: it grows, every write is held against the guard, and there are barriers. */
export class ImageFile {
  readonly disk: DiskModule;
  /** Holds the guest's clusters, where the image does not. */
  readonly dataFile: DiskModule | undefined;
  readonly #guard: OverlapGuard;
  readonly #clusterSize: number;
  /** From this byte on the file has never held anything: what it grows by reads as zeroes. */
  #freshFrom: number;
  /** Bytes that the file had: they may be in use, whatever refcounts say, unless this writer has freed them. */
  readonly #openedEnd: number;
  #growing: Promise<void> = Promise.resolve();

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

  /** Whether these bytes are zeroes that nobody has written. They are about to be used, so it is said only once. */
  takeFresh(at: number, length: number): boolean {
    const isFresh = at >= this.#freshFrom;
    if (Number.isFinite(this.#freshFrom)) this.#freshFrom = Math.max(this.#freshFrom, at + length);
    return isFresh;
  }

  /** The file is at least so long. */
  reach(end: number): Promise<void> | undefined {
    return this.#reach(this.disk, end);
  }

  /** The disk that holds the guest's clusters is at least so long. */
  reachData(end: number): Promise<void> | undefined {
    return this.#reach(this.dataFile ?? this.disk, end);
  }

  #reach(disk: DiskModule, end: number): Promise<void> | undefined {
    if (end <= disk.size()) return undefined;
    const growing = this.#growing.then(() => this.#grow(disk, end));
    this.#growing = growing.catch(() => {});
    return growing;
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

  /** Bytes of the guest that the engine does not write itself: compressed ones. */
  async writeData(at: number, bytes: Uint8Array, io: Io): Promise<void> {
    this.#guard.checkData(at, bytes.length);
    await this.#write(at, bytes, io);
  }

  async #write(at: number, bytes: Uint8Array, io: Io): Promise<void> {
    await this.reach(at + bytes.length);
    const written = await this.disk.write(at, bytes, io);
    if (written === bytes.length) return;
    throw new DiskError(
      'ERR_IO',
      `${bytes.length} bytes given to the disk below at ${hex(at)}, it took ${written}`,
    );
  }

  /** What was written before is on stable storage before anything is that is written after. */
  async barrier(): Promise<void> {
    for (const disk of [this.dataFile, this.disk]) {
      if (disk !== undefined && can(disk, 'flush')) await disk.flush();
    }
  }

  /** Cuts the file off from byte `end` on, where nothing is in use: what it has grown by, and what was freed before that. */
  async trim(end: number, isFreed: (cluster: number) => boolean): Promise<void> {
    if (!can(this.disk, 'resize')) return;
    let opened = Math.ceil(this.#openedEnd / this.#clusterSize);
    while (opened * this.#clusterSize > end && isFreed(opened - 1)) opened--;
    const kept = Math.max(end, Math.min(opened * this.#clusterSize, this.#openedEnd));
    if (kept >= this.disk.size()) return;
    // Nothing may name what is cut off, after a crash either.
    if (kept < this.#openedEnd) await this.barrier();
    await this.disk.resize(kept, { shrink: true });
  }
}
