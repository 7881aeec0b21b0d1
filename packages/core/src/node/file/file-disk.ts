import {
  close,
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncate,
  ftruncateSync,
  openSync,
  read,
  readSync,
  write,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { awaitAll } from '../../async/await-all.ts';
import { checkBytes, roundUp } from '../../binary/safe-number.ts';
import type { Abilities, Able, ExtentsIo } from '../../contracts/abilities.ts';
import type { ResizeIo } from '../../contracts/changes.ts';
import type { Cloner } from '../../contracts/cloner.ts';
import type { DiskModule, Io } from '../../contracts/disk-module.ts';
import type { DiskExtent } from '../../contracts/extent.ts';
import type { FileSpace, Host } from '../../contracts/host.ts';
import { DiskBase } from '../../disks/disk-base.ts';
import { withoutHandles } from '../../disks/pass-through.ts';
import { throwIfAborted } from '../../errors/disk-error.ts';
import { checkWrite, clipRange } from '../../io/range.ts';
import type { Lazy } from '../../stack/services.ts';
import { deviceGeometry, refuseOthers } from '../identity/block-device.ts';
import { type FileLocking, keepOut } from '../locks/keep-out.ts';
import type { OpenFile } from './ask-holes.ts';
import { CallPace, type FileIo } from './call-pace.ts';
import {
  AHEAD_BYTES,
  READ_CALL_BYTES,
  SHARED_BYTES,
  WAKE_BYTES,
  WRITE_BYTES,
  WRITE_CALL_BYTES,
} from './call-sizes.ts';
import { changedFile, fileError } from './file-errors.ts';
import { fileHoles } from './file-holes.ts';
import { discardRange, zeroRange } from './file-space.ts';
import { type SharedFile, shareBlocks } from './share-blocks.ts';

const readAsync = promisify(read);
const writeAsync = promisify(write);
const closeAsync = promisify(close);
const syncAsync = promisify(fdatasync);
const truncateAsync = promisify(ftruncate);

export interface FileDiskOptions {
  readonly writable?: boolean;
  /** Default: `'auto'`. */
  readonly io?: FileIo;
  /** Which other processes may use the file. Default: `'auto'`. */
  readonly locking?: FileLocking;
  /** What the operating system can do beyond Node. Default: nothing. With `io: 'pool'` it is not asked: its calls block. */
  readonly host?: Lazy<Host> | undefined;
}

/** A storage over a regular file or a block device. */
export class FileDisk extends DiskBase implements Able<'extents' | 'flush' | 'location'> {
  readonly diskType = '';
  readonly writable: boolean;
  readonly location: string;
  readonly #pace: CallPace;
  readonly #locking: FileLocking;
  readonly #file: OpenFile & SharedFile = {
    disk: this,
    descriptor: () => {
      this.life.check();
      return this.#fd;
    },
    host: () => this.#resolveHost(),
    whileOpen: (work) => this.life.whileOpen(work),
  };
  #host: Lazy<Host> | undefined;
  #space: FileSpace | undefined; // of a file that is open for writing
  #fd = -1;
  #size = 0;
  #blockSize = 512;
  #isFile = false;
  #unlock: (() => void) | undefined;

  constructor(path: string, options: FileDiskOptions = {}) {
    super();
    const { writable = false, io = 'auto', locking = 'auto', host } = options;
    this.location = path;
    this.writable = writable;
    this.#pace = new CallPace(io);
    this.#locking = locking;
    this.#host = io === 'pool' ? undefined : host;
  }

  get blockSize(): number {
    return this.#blockSize;
  }

  protected async open(io: Io): Promise<void> {
    throwIfAborted(io.signal);
    try {
      // O_NONBLOCK, because opening a FIFO otherwise waits for a writer.
      const mode = this.writable ? constants.O_RDWR : constants.O_RDONLY;
      this.#fd = openSync(this.location, mode | constants.O_NONBLOCK);
      const stats = fstatSync(this.#fd, { bigint: true });
      refuseOthers(stats, this.location);
      this.#isFile = stats.isFile();
      if (!this.#isFile) {
        const { size, blockSize } = await deviceGeometry(this.#fd, Number(stats.rdev));
        [this.#size, this.#blockSize] = [size, blockSize];
      }
      const host = this.writable || this.#locking === 'auto' ? await this.#resolveHost() : undefined;
      const file = { path: this.location, stats, fd: this.#fd, locks: host?.locks };
      this.#unlock = await keepOut(file, { writable: this.writable, locking: this.#locking });
      // The last holder of a lock may have changed the size.
      if (this.#isFile) this.#size = this.writable ? fstatSync(this.#fd).size : Number(stats.size);
      if (this.writable) this.#space = host?.space;
    } catch (error) {
      await this.release();
      throw fileError(error, this.location);
    }
  }

  protected async release(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd < 0) return;
    this.#unlock?.(); // before close: the lock is named after the inode, which stays reserved until then
    if (this.writable)
      await closeAsync(fd); // may wait until written data is stored
    else closeSync(fd);
  }

  protected length(): number {
    return this.#size;
  }

  protected fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    if (this.#pace.shares && this.#pace.mayBlock) {
      if (io.ahead && into.length > AHEAD_BYTES) return this.#readAsync(offset, into, io);
      if (!io.ahead && into.length > SHARED_BYTES) return this.#readShared(offset, into, io);
    }
    return this.#read(offset, into, io);
  }

  #readShared(offset: number, into: Uint8Array, io: Io): Promise<void> {
    const share = roundUp((into.length + WAKE_BYTES) / 2, this.#blockSize);
    const pooled = this.#readAsync(offset + share, into.subarray(share), io);
    const own = async (): Promise<void> => this.#read(offset, into.subarray(0, share), io);
    return awaitAll([pooled, own()]);
  }

  /** Reads with blocking calls while they are fast, and the rest asynchronously. */
  #read(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    let done = 0;
    try {
      while (done < into.length && this.#pace.mayBlock) {
        const length = Math.min(READ_CALL_BYTES, into.length - done);
        const start = Date.now();
        const got = readSync(this.#fd, into, done, length, offset + done);
        this.#pace.took(Date.now() - start);
        done += this.#checked(got, offset + done);
      }
    } catch (error) {
      throw fileError(error, this.location, offset);
    }
    return done === into.length ? undefined : this.#readAsync(offset + done, into.subarray(done), io);
  }

  async #readAsync(offset: number, into: Uint8Array, io: Io): Promise<void> {
    try {
      let done = 0;
      while (done < into.length) {
        throwIfAborted(io.signal);
        const start = Date.now();
        const { bytesRead } = await readAsync(this.#fd, into, done, into.length - done, offset + done);
        if (bytesRead <= READ_CALL_BYTES) this.#pace.took(Date.now() - start);
        done += this.#checked(bytesRead, offset + done);
      }
    } catch (error) {
      throw fileError(error, this.location, offset);
    }
  }

  #checked(got: number, offset: number): number {
    if (got > 0) return got;
    const end = this.#isFile ? fstatSync(this.#fd).size : offset;
    throw changedFile(this.location, offset, this.#size, end);
  }

  protected get readOnlyReason(): string {
    return "the file is open for reading; mountMode 'rw' opens it for writing";
  }

  protected async put(offset: number, data: Uint8Array): Promise<void> {
    try {
      let done = 0;
      while (done < data.length) {
        done += await this.#writeSome(data, done, offset + done);
      }
    } catch (error) {
      throw fileError(error, this.location, offset);
    }
  }

  /** Changes the length of a file; new bytes are a hole. Absent on a device, whose size is fixed. */
  get resize(): Abilities['resize'] | undefined {
    return this.#isFile ? (size, io = {}) => this.#resize(size, io) : undefined;
  }

  async #resize(size: number, io: ResizeIo): Promise<void> {
    this.life.check();
    checkBytes(size, 'size');
    throwIfAborted(io.signal);
    if (!this.writable) throw this.readOnly();
    if (size === this.#size) return;
    this.life.enter();
    try {
      // Growing adds a hole, which is immediate. Shrinking frees clusters, which may take long.
      if (size >= this.#size && this.#pace.mayBlock) ftruncateSync(this.#fd, size);
      else await truncateAsync(this.#fd, size);
      this.#size = size;
    } catch (error) {
      throw fileError(error, this.location);
    } finally {
      this.life.leave();
    }
  }

  /** Frees the space of a range, as far as the file system can. Present with a host that can. */
  get discard(): Abilities['discard'] | undefined {
    return this.#withSpace(discardRange);
  }

  /** Writes literal zeroes only where the file system has nothing better. Present with a host that may have. */
  get writeZeroes(): Abilities['writeZeroes'] | undefined {
    return this.#withSpace(zeroRange);
  }

  #withSpace(change: typeof zeroRange): Abilities['writeZeroes'] | undefined {
    const space = this.#space;
    if (space === undefined) return undefined;
    return async (offset, length, io = {}) => {
      checkWrite(this.size(), offset, length);
      const sector = this.#isFile ? 1 : this.#blockSize;
      const put = this.put.bind(this);
      const file = { space, fd: this.#fd, sector, location: this.location, put };
      await this.life.whileOpen(() => change(file, offset, length, io));
    };
  }

  /** Writes from `data[from]` on. Returns the number of bytes written, or a promise of it. */
  #writeSome(data: Uint8Array, from: number, offset: number): number | Promise<number> {
    const [left, start] = [data.length - from, Date.now()];
    if (data.length > WRITE_BYTES || !this.#pace.mayBlock) {
      return writeAsync(this.#fd, data, from, left, offset).then(({ bytesWritten }) => {
        if (bytesWritten <= WRITE_BYTES) this.#pace.took(Date.now() - start);
        return bytesWritten;
      });
    }
    const written = writeSync(this.#fd, data, from, Math.min(left, WRITE_CALL_BYTES), offset);
    this.#pace.took(Date.now() - start);
    return written;
  }

  /** Holes of a sparse file are `zero`: all of them with a host that finds holes, else those that `readHoles` can find. */
  extents(offset = 0, length?: number, io: ExtentsIo = {}): AsyncIterable<DiskExtent> {
    return this.#extents(offset, clipRange(this.size(), offset, length), io);
  }

  async *#extents(offset: number, length: number, io: ExtentsIo): AsyncGenerator<DiskExtent> {
    if (length === 0) return;
    const holes = this.#isFile ? (await this.#resolveHost())?.holes : undefined;
    yield* fileHoles(this.#file, holes, offset, length, io);
  }

  async #resolveHost(): Promise<Host | undefined> {
    if (typeof this.#host === 'function') this.#host = await this.#host();
    return this.#host;
  }

  /** Shares blocks with another file, if both are regular and the host can. */
  async cloneFrom(source: DiskModule): Promise<Cloner | undefined> {
    const file = withoutHandles(source);
    if (!(file instanceof FileDisk) || !this.writable || !this.#isFile || !file.#isFile) return undefined;
    return await shareBlocks(file.#file, this.#file);
  }

  async flush(): Promise<void> {
    this.life.enter();
    try {
      if (this.writable) await syncAsync(this.#fd);
    } catch (error) {
      throw fileError(error, this.location);
    } finally {
      this.life.leave();
    }
  }
}
