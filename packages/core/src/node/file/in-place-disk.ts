import type { Abilities, Able } from '../../contracts/abilities.ts';
import type { ResizeIo } from '../../contracts/changes.ts';
import type { Io } from '../../contracts/disk-module.ts';
import { DiskBase } from '../../disks/disk-base.ts';
import type { FileDisk } from './file-disk.ts';

/** Bytes at the start of a file that are written last. Every format has its magic number in the first 4 KiB. */
const HEAD_BYTES = 4096;

/**
 * A file or a device that is written over where it is. Its first 4 KiB stay in memory until `finish`, and are zeroes in the
 * file meanwhile: what an interruption leaves has no header, no boot sector and no magic number.
 *
 * The old content goes with the first read or write, and not before: a refusal before that costs nothing.
 */
export class InPlaceDisk extends DiskBase implements Able<'flush' | 'location'> {
  readonly diskType = '';
  readonly writable = true;
  readonly #file: FileDisk;
  readonly #head = new Uint8Array(HEAD_BYTES);
  #size: number;
  #emptying: Promise<void> | undefined;
  #isEmpty = false;

  /** `file` is a writable one. `size` is the length that a regular file gets. */
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

  /** True when what is not written reads as zeroes: a file, not a device. */
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

  async #resize(size: number, io: ResizeIo): Promise<void> {
    if (!this.#isEmpty) await this.#empty();
    await this.#file.resize?.(size, io);
    this.#size = size;
    if (size < HEAD_BYTES) this.#head.fill(0, size);
  }

  /** Takes the old content away, once. */
  #empty(): Promise<void> {
    this.#emptying ??= this.#clear().then(() => {
      this.#isEmpty = true;
    });
    return this.#emptying;
  }

  async #clear(): Promise<void> {
    if (this.#file.resize === undefined) {
      const length = Math.min(HEAD_BYTES, this.#size);
      await this.#file.read(0, length, { into: this.#head }); // what is not written of a device stays
      await this.#file.write(0, new Uint8Array(length));
      return;
    }
    await this.#file.resize(this.#size); // a length that the file system refuses costs no content
    await this.#file.resize(0);
    await this.#file.resize(this.#size);
  }

  async flush(): Promise<void> {
    this.life.check();
    await this.#file.flush();
  }

  /** Writes the head: the file is whole. With `sync` everything else is on stable storage before it. */
  async finish(sync: boolean): Promise<void> {
    if (!this.#isEmpty) await this.#empty();
    if (sync) await this.#file.flush();
    await this.#file.write(0, this.#head.subarray(0, Math.min(HEAD_BYTES, this.#size)));
    if (sync) await this.#file.flush();
  }

  /** Leaves no content that looks whole: a file is empty then. What was not touched stays as it was. */
  async abandon(): Promise<void> {
    if (this.#emptying === undefined) return;
    await this.#emptying.catch(() => {});
    await this.#file.resize?.(0);
  }

  protected release(): Promise<void> {
    return this.#file.close();
  }
}
