import { close, constants, fdatasync, fstatSync, openSync, read, readSync, type Stats, write } from 'node:fs';
import { promisify } from 'node:util';
import { roundUp } from '../binary/safe-number.ts';
import type { Able, ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { Lifecycle } from '../lifecycle.ts';
import { checkInside, checkWrite, clipRange, readTarget, settle } from '../range.ts';
import { deviceGeometry } from './block-device.ts';
import { fileError } from './file-errors.ts';
import { fileHoles } from './file-holes.ts';

const readAsync = promisify(read);
const writeAsync = promisify(write);
const closeAsync = promisify(close);
const syncAsync = promisify(fdatasync);

/**
 * How a file is read. A read of a cached page takes 1.5 µs with a call that blocks, and 20 µs through the thread pool.
 *
 * - `sync`: always with a call that blocks
 * - `pool`: never: for network file systems, and other files that may keep us waiting
 * - `auto`: reads up to `SYNC_BYTES` block. Of longer ones this thread copies a half, in pieces of that size, while the
 *   pool copies the other; a disk that takes long for a piece is left to the pool from then on
 */
export type FileIo = 'auto' | 'sync' | 'pool';

/** The longest call that blocks in `auto`, in bytes: 20 µs from the page cache. */
const SYNC_BYTES = 128 * 1024;
/** A call of that size that takes longer did not come from the page cache, in milliseconds. */
const SLOW_CALL = 5;

export interface FileDiskOptions {
  readonly writable?: boolean;
  /** `'auto'` unless told. */
  readonly io?: FileIo;
}

/** A storage over a regular file or a block device. */
export class FileDisk implements DiskModule, Able<'readInto' | 'extents' | 'flush' | 'location'> {
  readonly diskType = '';
  readonly writable: boolean;
  readonly location: string;
  #io: FileIo;
  readonly #life = new Lifecycle();
  #fd = -1;
  #size = 0;
  #blockSize = 512;

  constructor(path: string, options: FileDiskOptions = {}) {
    const { writable = false, io = 'auto' } = options;
    this.location = path;
    this.writable = writable;
    this.#io = io;
  }

  get blockSize(): number {
    return this.#blockSize;
  }

  init(io: Io = {}): Promise<void> {
    return this.#life.init(async () => {
      throwIfAborted(io.signal);
      try {
        // O_NONBLOCK, so that opening a FIFO does not wait for somebody to write to it.
        this.#fd = openSync(
          this.location,
          (this.writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK,
        );
        await this.#measure(fstatSync(this.#fd));
      } catch (error) {
        await this.#release();
        throw fileError(error, this.location);
      }
    });
  }

  async #release(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await closeAsync(fd);
  }

  async #measure(stats: Stats): Promise<void> {
    if (stats.isBlockDevice()) {
      ({ size: this.#size, blockSize: this.#blockSize } = await deviceGeometry(this.#fd, stats.rdev));
    } else if (stats.isFile()) {
      this.#size = stats.size;
    } else {
      const what = stats.isDirectory() ? 'a folder' : 'neither a file nor a block device';
      throw new DiskError('ERR_ARGUMENT', `is ${what}, not a disk`, { layer: this.location });
    }
  }

  size(): number {
    this.#life.check();
    return this.#size;
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = readTarget(this.size(), offset, length, io.into);
    if (into.length > 0) await this.readInto(offset, into, io);
    return into;
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    if (this.#io === 'pool') return this.#readLater(offset, into, io);
    if (this.#io === 'auto' && into.length > SYNC_BYTES) return this.#readShared(offset, into, io);
    this.#readNow(offset, into);
    return undefined;
  }

  #readNow(offset: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      let got: number;
      try {
        got = readSync(this.#fd, into, done, into.length - done, offset + done);
      } catch (error) {
        throw fileError(error, this.location, offset);
      }
      done += this.#checked(got, offset + done);
    }
  }

  /** One half here, the other in the pool, at the same time. */
  #readShared(offset: number, into: Uint8Array, io: Io): Promise<void> {
    const half = roundUp(into.length / 2, this.#blockSize);
    return settle([
      this.#readLater(offset + half, into.subarray(half), io),
      this.#readPieces(offset, into.subarray(0, half), io),
    ]);
  }

  async #readPieces(offset: number, into: Uint8Array, io: Io): Promise<void> {
    for (let done = 0; done < into.length; done += SYNC_BYTES) {
      if (this.#io === 'pool') return this.#readLater(offset + done, into.subarray(done), io);
      const start = performance.now();
      this.#readNow(offset + done, into.subarray(done, done + SYNC_BYTES));
      if (performance.now() - start > SLOW_CALL) this.#io = 'pool';
    }
  }

  async #readLater(offset: number, into: Uint8Array, io: Io): Promise<void> {
    this.#life.enter();
    try {
      let done = 0;
      while (done < into.length) {
        throwIfAborted(io.signal);
        const { bytesRead } = await readAsync(this.#fd, into, done, into.length - done, offset + done);
        done += this.#checked(bytesRead, offset + done);
      }
    } catch (error) {
      throw fileError(error, this.location, offset);
    } finally {
      this.#life.leave();
    }
  }

  #checked(got: number, offset: number): number {
    if (got > 0) return got;
    throw new DiskError(
      'ERR_SHORT_READ',
      `the file had ${this.#size} bytes when it was opened, and now ends earlier`,
      {
        layer: this.location,
        offset,
      },
    );
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const size = this.size();
    throwIfAborted(io.signal);
    if (!this.writable) {
      throw new DiskError(
        'ERR_READ_ONLY',
        "the file is open for reading; mountMode 'rw' opens it for writing",
        {
          layer: this.location,
        },
      );
    }
    checkWrite(size, offset, data.length);
    this.#life.enter();
    try {
      let done = 0;
      while (done < data.length) {
        const { bytesWritten } = await writeAsync(this.#fd, data, done, data.length - done, offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw fileError(error, this.location, offset);
    } finally {
      this.#life.leave();
    }
    return data.length;
  }

  /** Holes of a sparse file are `zero`. See `fileHoles` for what can be known of them. */
  extents(offset = 0, length?: number, io: ExtentsIo = {}): AsyncIterable<DiskExtent> {
    const clipped = clipRange(this.size(), offset, length);
    return fileHoles(this, fstatSync(this.#fd), offset, clipped, io);
  }

  async flush(): Promise<void> {
    this.#life.check();
    if (!this.writable) return;
    try {
      await syncAsync(this.#fd);
    } catch (error) {
      throw fileError(error, this.location);
    }
  }

  close(): Promise<void> {
    return this.#life.close(() => this.#release());
  }

  getBase(): DiskModule {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
