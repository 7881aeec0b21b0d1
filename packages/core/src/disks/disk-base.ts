import { breathe } from '../async/breathe.ts';
import { Lifecycle } from '../async/lifecycle.ts';
import type { Able } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { checkInside, checkWrite } from '../io/range.ts';
import { answerRead, inPieces } from '../io/read-call.ts';

/**
 * The common part of all disks in core: lifecycle, clipping at the end, checks of each call, abort signals, pauses for the event
 * loop, disposal. Subclasses implement where the bytes are. Authors of disks outside core use `defineDisk` instead.
 */
export abstract class DiskBase implements DiskModule, Able<'readInto'> {
  abstract readonly diskType: string;
  abstract readonly blockSize: number;
  abstract readonly writable: boolean;
  protected readonly life: Lifecycle = new Lifecycle();

  /** Opens the layer below. Runs once. */
  protected abstract open(io: Io): Promise<void>;
  /** Size in bytes of the open disk. */
  protected abstract length(): number;
  /**
   * Fills `into` with the bytes at `offset`. Returns `undefined` if it has filled `into` synchronously. The range is inside the
   * disk, and the disk stays open until the promise settles.
   */
  protected abstract fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined;
  /** Writes all of `data`. The range is inside the disk. The disk is writable and stays open until the promise settles. */
  protected abstract put(offset: number, data: Uint8Array, io: Io): Promise<void> | undefined;
  /** Releases what `open` opened. Runs once, when no call is in flight. */
  protected abstract release(): Promise<void>;
  /** The reason in the `ERR_READ_ONLY` error of a disk that is not `writable`. */
  protected abstract get readOnlyReason(): string;

  init(io: Io = {}): Promise<void> {
    return this.life.init(() => this.open(io));
  }

  size(): number {
    this.life.check();
    return this.length();
  }

  read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    return answerRead(this, offset, length, io, (from, into) =>
      this.life.whileOpen(() => inPieces(from, into, io, (at, part) => this.fill(at, part, io))),
    );
  }

  readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> | undefined {
    throwIfAborted(io.signal);
    checkInside(this.size(), offset, into.length);
    const filling = this.fill(offset, into, io);
    return filling && this.life.whileOpen(() => filling);
  }

  async write(offset: number, data: Uint8Array, io: Io = {}): Promise<number> {
    const size = this.size();
    throwIfAborted(io.signal);
    if (!this.writable) throw this.readOnly();
    checkWrite(size, offset, data.length);
    await this.life.whileOpen(async () => this.put(offset, data, io));
    const pause = breathe();
    if (pause !== undefined) await pause;
    return data.length;
  }

  protected readOnly(): DiskError {
    const { location } = this as { readonly location?: string | undefined };
    return new DiskError('ERR_READ_ONLY', this.readOnlyReason, { layer: location });
  }

  close(): Promise<void> {
    return this.life.close(() => this.release());
  }

  getBase(): DiskModule {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Base of disks that are never writable. */
export abstract class ReadOnlyDisk extends DiskBase {
  readonly writable = false;

  protected put(): Promise<void> {
    return Promise.reject(this.readOnly());
  }
}
