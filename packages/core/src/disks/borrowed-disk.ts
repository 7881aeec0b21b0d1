import { Lifecycle } from '../async/lifecycle.ts';
import { type Abilities, type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { checkInside, clipRange, readFully } from '../io/range.ts';
import { answerRead, inPieces } from '../io/read-call.ts';
import { placeFrom } from '../mapping/extent-source.ts';

export interface BorrowOptions {
  /** Name of the layer in the column of `diskType`, where the lender adds one: `'LVM2'`. */
  readonly diskType?: string;
  readonly location?: string;
  /** Lend for reading only. */
  readonly readOnly?: boolean;
  /** Called once, when the handle has been closed. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** A handle on a disk that somebody else owns: closing the handle leaves the disk open. */
export function borrow(disk: DiskModule, options: BorrowOptions = {}): DiskModule {
  return new BorrowedDisk(disk, options);
}

class BorrowedDisk implements DiskModule, Able<'readInto' | 'extents' | 'flush'> {
  readonly diskType: string;
  readonly location?: string;
  readonly writable: boolean;
  readonly #disk: DiskModule;
  readonly #options: BorrowOptions;
  readonly #life = new Lifecycle();

  constructor(disk: DiskModule, options: BorrowOptions) {
    this.#disk = disk;
    this.#options = options;
    this.diskType = options.diskType ?? disk.diskType;
    this.writable = disk.writable && options.readOnly !== true;
    const location = options.location ?? (can(disk, 'location') ? disk.location : undefined);
    if (location !== undefined) this.location = location;
  }

  get blockSize(): number {
    return this.#disk.blockSize;
  }

  init(io?: Io): Promise<void> {
    return this.#life.init(() => this.#disk.init(io));
  }

  size(): number {
    this.#life.check();
    return this.#disk.size();
  }

  read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    return answerRead(this, offset, length, io, (from, into) =>
      this.#life.whileOpen(() => inPieces(from, into, io, (at, part) => readFully(this.#disk, at, part, io))),
    );
  }

  readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined {
    checkInside(this.size(), offset, into.length);
    const reading = readFully(this.#disk, offset, into, io);
    if (reading === undefined) return undefined;
    this.#life.enter();
    return reading.finally(() => this.#life.leave());
  }

  async write(offset: number, data: Uint8Array, io?: Io): Promise<number> {
    this.#life.enter();
    try {
      if (!this.writable)
        throw new DiskError('ERR_READ_ONLY', 'the disk is lent for reading', { layer: this.location });
      return await this.#disk.write(offset, data, io);
    } finally {
      this.#life.leave();
    }
  }

  async *extents(offset = 0, length?: number, io?: ExtentsIo): AsyncIterable<DiskExtent> {
    const clipped = clipRange(this.size(), offset, length);
    const disk = this.#disk;
    if (can(disk, 'extents')) {
      if (this.#same !== undefined) yield* disk.extents(offset, clipped, io);
      // A layer of another kind hides what is below, and with it where the place would be looked for.
      else
        for await (const extent of disk.extents(offset, clipped, io))
          yield { ...extent, ...placeFrom(disk, extent, disk) };
    } else if (clipped > 0)
      yield { offset, length: clipped, kind: 'data', depth: 0, present: true, at: offset };
  }

  async flush(io?: Io): Promise<void> {
    this.#life.check();
    if (can(this.#disk, 'flush')) await this.#disk.flush(io);
  }

  get resize(): Abilities['resize'] | undefined {
    const disk = this.#disk;
    if (!this.writable || !can(disk, 'resize')) return undefined;
    return (size, io) => {
      this.#life.check();
      return disk.resize(size, io);
    };
  }

  /** What a layer tells of itself, and the two below: unless the lender makes another layer of it. */
  get info(): Abilities['info'] | undefined {
    const disk = this.#same;
    return disk && can(disk, 'info') ? () => disk.info() : undefined;
  }

  get chain(): Abilities['chain'] | undefined {
    const disk = this.#same;
    return disk && can(disk, 'chain') ? () => [this, ...disk.chain().slice(1)] : undefined;
  }

  get downstream(): DiskModule | undefined {
    const disk = this.#same;
    return disk && can(disk, 'downstream') ? disk.downstream : undefined;
  }

  get #same(): DiskModule | undefined {
    return this.#options.diskType === undefined ? this.#disk : undefined;
  }

  close(): Promise<void> {
    return this.#life.close(async () => this.#options.release?.());
  }

  getBase(): DiskModule {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
