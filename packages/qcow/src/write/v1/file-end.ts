import { DiskError, hex, type Io } from '@diskstack/core';
import { Mutex, roundUp, SECTOR, writeFully } from '@diskstack/core/format';
import type { ImageFile } from '../file/image-file.ts';
import { ClusterSet } from '../space/cluster-set.ts';

/** Allocated bytes. */
interface Taken {
  readonly at: number;
  /** The bytes have never been written, and read as zeroes. */
  readonly isFresh: boolean;
}

/** Version 1 has no refcounts: everything new goes to the end of the file, and nothing is freed. */
export class FileEnd {
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  /** Sectors that hold the header and the tables. */
  readonly #metadata = new ClusterSet();
  readonly #taking = new Mutex();
  #end: number;

  constructor(file: ImageFile, clusterSize: number) {
    this.#file = file;
    this.#clusterSize = clusterSize;
    this.#end = file.disk.size();
  }

  /** Allocates bytes at a multiple of the cluster size, or directly at the end with `packed`. */
  take(length: number, packed = false): Promise<Taken> {
    return this.#taking.run(async () => {
      const at = packed ? this.#end : roundUp(this.#end, this.#clusterSize);
      if (!Number.isSafeInteger(at + length))
        throw new DiskError('ERR_NO_SPACE', `the image has ${at} bytes, and cannot have more`);
      await this.#file.reach(at + length);
      this.#end = at + length;
      return { at, isFresh: this.#file.takeFresh(at, length) };
    });
  }

  /** Frees unused bytes when they were allocated last. Others stay unused. */
  untake(at: number, length: number): void {
    if (this.#end === at + length) this.#end = at;
  }

  /** Records that these bytes hold metadata. */
  claim(at: number, length: number): void {
    const end = Math.ceil((at + length) / SECTOR);
    for (let sector = Math.floor(at / SECTOR); sector < end; sector++) this.#metadata.add(sector);
  }

  /** Throws when data would overwrite a table: a damaged entry must not destroy one. */
  checkData(at: number, length: number): void {
    const end = Math.ceil((at + length) / SECTOR);
    for (let sector = Math.floor(at / SECTOR); sector < end; sector++) {
      if (!this.#metadata.has(sector)) continue;
      const offset = sector * SECTOR;
      throw new DiskError(
        'ERR_CORRUPT',
        `data would be written over a table of the image, at byte ${hex(offset)}; nothing was written`,
        { offset },
      );
    }
  }

  async write(at: number, bytes: Uint8Array, io: Io = {}): Promise<void> {
    await this.#file.reach(at + bytes.length);
    await writeFully(this.#file.disk, at, bytes, io);
  }

  /** Truncates unused bytes that this writer added. */
  async trim(): Promise<void> {
    await this.#file.trim(this.#end, () => false);
  }
}
