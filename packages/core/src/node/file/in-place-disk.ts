import type { Abilities, Able } from '../../contracts/abilities.ts';
import type { ResizeIo } from '../../contracts/changes.ts';
import type { Io } from '../../contracts/disk-module.ts';
import { DiskBase } from '../../disks/disk-base.ts';
import { checkWrite } from '../../io/range.ts';
import type { FileDisk } from './file-disk.ts';

/** Bytes at the start of a file that are written last. Every format has its magic number in the first 4 KiB. */
const HEAD_BYTES = 4096;

/**
 * Overwrites a file or a device in place. The first 4 KiB stay in memory until `finish`, and are zeroes in the file until then.
 * After an interruption the file has no header, no boot sector and no magic number.
 *
 * The old content is lost with the first read or write, not before: an error before that loses nothing.
 */
export class InPlaceDisk extends DiskBase implements Able<'flush' | 'location'> {
  readonly diskType = '';
  readonly writable = true;
  readonly #file: FileDisk;
  readonly #head = new Uint8Array(HEAD_BYTES);
  #size: number;
  #emptying: Promise<void> | undefined;
  #isEmpty = false;

  /** `file` is writable. `size` is the new length of a regular file, in bytes. */
  constructor(file: FileDisk, size: number) {
    super();
    this.#file = file;
    this.#size = size;
  }

  get blockSize(): number {
    return this.#file.blockSize;
  }

  get location(): string {
    return this.#file.location;
  }

  /** Whether unwritten ranges read as zeroes: true for a file, false for a device. */
  get startsAsZeroes(): boolean {
    return this.#file.resize !== undefined;
  }

  protected get readOnlyReason(): string {
    return 'the file is open for reading';
  }

  protected async open(io: Io): Promise<void> {
    await this.#file.init(io);
    if (this.#file.resize === undefined) this.#size = this.#file.size();
  }

  protected length(): number {
    return this.#size;
  }

  protected fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    if (!this.#isEmpty) return this.#empty().then(() => this.fill(offset, into, io));
    const inHead = Math.max(0, Math.min(into.length, HEAD_BYTES - offset));
    into.set(this.#head.subarray(offset, offset + inHead));
    return inHead === into.length
      ? undefined
      : this.#file.readInto(offset + inHead, into.subarray(inHead), io);
  }

  protected async put(offset: number, data: Uint8Array, io: Io): Promise<void> {
    if (!this.#isEmpty) await this.#empty();
    const inHead = Math.max(0, Math.min(data.length, HEAD_BYTES - offset));
    if (inHead > 0) this.#head.set(data.subarray(0, inHead), offset);
    if (inHead < data.length) await this.#file.write(offset + inHead, data.subarray(inHead), io);
  }

  get resize(): Abilities['resize'] | undefined {
    if (this.#file.resize === undefined) return undefined;
    return (size, io = {}) => this.life.whileOpen(() => this.#resize(size, io));
  }

  get writeZeroes(): Abilities['writeZeroes'] | undefined {
    const zero = this.#file.writeZeroes;
    if (zero === undefined) return undefined;
    return (offset, length, io = {}) =>
      this.life.whileOpen(async () => {
        checkWrite(this.#size, offset, length);
        if (!this.#isEmpty) await this.#empty();
        const inHead = Math.max(0, Math.min(length, HEAD_BYTES - offset));
        this.#head.fill(0, offset, offset + inHead);
        if (inHead < length) await zero(offset + inHead, length - inHead, io);
      });
  }

  async #resize(size: number, io: ResizeIo): Promise<void> {
    if (!this.#isEmpty) await this.#empty();
    await this.#file.resize?.(size, io);
    this.#size = size;
    if (size < HEAD_BYTES) this.#head.fill(0, size);
  }

  /** Removes the old content, once. */
  #empty(): Promise<void> {
    this.#emptying ??= this.#clear().then(() => {
      this.#isEmpty = true;
    });
    return this.#emptying;
  }

  async #clear(): Promise<void> {
    if (this.#file.resize === undefined) {
      const length = Math.min(HEAD_BYTES, this.#size);
      await this.#file.read(0, length, { into: this.#head }); // a device keeps what is not overwritten
      await this.#file.write(0, new Uint8Array(length));
      return;
    }
    await this.#file.resize(this.#size); // fails for a length that the file system refuses, while the content still exists
    await this.#file.resize(0);
    await this.#file.resize(this.#size);
  }

  async flush(): Promise<void> {
    this.life.check();
    await this.#file.flush();
  }

  /** Writes the head, which completes the file. With `sync` everything else reaches stable storage before the head. */
  async finish(sync: boolean): Promise<void> {
    if (!this.#isEmpty) await this.#empty();
    if (sync) await this.#file.flush();
    await this.#file.write(0, this.#head.subarray(0, Math.min(HEAD_BYTES, this.#size)));
    if (sync) await this.#file.flush();
  }

  /** Leaves no content that looks complete: empties a file. Does nothing if nothing was read or written. */
  async abandon(): Promise<void> {
    if (this.#emptying === undefined) return;
    await this.#emptying.catch(() => {});
    await this.#file.resize?.(0);
  }

  protected release(): Promise<void> {
    return this.#file.close();
  }
}
