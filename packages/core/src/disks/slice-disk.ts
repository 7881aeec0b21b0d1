import { Lifecycle } from '../async/lifecycle.ts';
import { checkBytes } from '../binary/safe-number.ts';
import { type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule, Io, ReadIo } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { checkInside, checkWrite, clipRange, readFully } from '../io/range.ts';
import { answerRead, inPieces } from '../io/read-call.ts';

/** A run of bytes of another disk, as a disk. No layer of its own in `diskType`; owns the disk that it cuts from. */
export class SliceDisk implements DiskModule, Able<'readInto' | 'extents' | 'flush' | 'downstream'> {
  readonly downstream: DiskModule;
  readonly #start: number;
  readonly #length: number | undefined;
  readonly #life = new Lifecycle();
  #size = 0;

  /** `start` and `length` in bytes of `downstream`; without a length to its end. */
  constructor(downstream: DiskModule, start: number, length?: number) {
    checkBytes(start, 'start');
    if (length !== undefined) checkBytes(length, 'length');
    this.downstream = downstream;
    this.#start = start;
    this.#length = length;
  }

  get diskType(): string {
    return this.downstream.diskType;
  }

  get blockSize(): number {
    return this.downstream.blockSize;
  }

  get writable(): boolean {
    return this.downstream.writable;
  }

  get location(): string | undefined {
    return can(this.downstream, 'location') ? this.downstream.location : undefined;
  }

  init(io: Io = {}): Promise<void> {
    return this.#life.init(async () => {
      await this.downstream.init(io);
      const left = this.downstream.size() - this.#start;
      this.#size = this.#length ?? left;
      if (left < this.#size || left < 0) {
        throw new DiskError(
          'ERR_ARGUMENT',
          `a slice of ${this.#size} bytes from byte ${this.#start} on does not fit into ${this.downstream.size()} bytes`,
          { layer: this.location },
        );
      }
    });
  }

  size(): number {
    this.#life.check();
    return this.#size;
  }

  read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    return answerRead(this, offset, length, io, (from, into) =>
      this.#life.whileOpen(() =>
        inPieces(from, into, io, (at, part) => readFully(this.downstream, this.#start + at, part, io)),
      ),
    );
  }

  readInto(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined {
    checkInside(this.size(), offset, into.length);
    return readFully(this.downstream, this.#start + offset, into, io);
  }

  async write(offset: number, data: Uint8Array, io?: Io): Promise<number> {
    const size = this.size();
    if (this.writable) checkWrite(size, offset, data.length);
    return this.downstream.write(this.#start + offset, data, io);
  }

  async *extents(offset = 0, length?: number, io?: ExtentsIo): AsyncIterable<DiskExtent> {
    const clipped = clipRange(this.size(), offset, length);
    if (clipped === 0) return;
    const from = this.#start + offset;
    if (!can(this.downstream, 'extents')) {
      yield { offset, length: clipped, kind: 'data', depth: 0, present: true, at: from };
      return;
    }
    for await (const extent of this.downstream.extents(from, clipped, io)) {
      yield { ...extent, offset: extent.offset - this.#start };
    }
  }

  async flush(io?: Io): Promise<void> {
    this.#life.check();
    if (can(this.downstream, 'flush')) await this.downstream.flush(io);
  }

  close(): Promise<void> {
    return this.#life.close(() => this.downstream.close());
  }

  getBase(): DiskModule {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
