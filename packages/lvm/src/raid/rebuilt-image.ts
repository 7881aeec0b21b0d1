import { type Able, DiskError, type DiskModule, type Io, type ReadIo } from '@diskstack/core';
import { breathe } from '@diskstack/core/format';
import type { TargetReader } from '../targets/target-reader.ts';
import { addTimes, generatorPower, inverse, multiply } from './galois.ts';
import type { RaidImage } from './raid-images.ts';
import type { RaidRow } from './raid-layout.ts';
import type { MayBeBehind } from './write-intent.ts';

/** A RAID set with parity. */
export interface ParitySet {
  readonly images: readonly RaidImage[];
  /** Size of a chunk in bytes. */
  readonly chunk: number;
  /** Size of each image in bytes. */
  readonly imageSize: number;
  /** The parity is in sync up to this byte of each image. */
  readonly synced: number;
  /** Set if the write-intent bitmap must be consulted before parity is used. */
  readonly mayBeBehind: MayBeBehind | undefined;
  row(number: number): RaidRow;
}

/** Bytes that are computed in one step. */
const PIECE = 256 * 1024;

/**
 * A missing image as a disk: its data is computed from the other images, either with P (the sum of all data) or with Q
 * (the sum of all data, each multiplied by a power of the generator). It is read for its data chunks only, never for parity.
 */
export class RebuiltImage implements DiskModule, Able<'readInto'> {
  readonly diskType = '';
  readonly blockSize = 512;
  readonly writable = false;
  readonly #set: ParitySet;
  readonly #position: number;
  readonly #reader: TargetReader;

  constructor(set: ParitySet, position: number, reader: TargetReader) {
    this.#set = set;
    this.#position = position;
    this.#reader = reader;
  }

  async init(): Promise<void> {}

  size(): number {
    return this.#set.imageSize;
  }

  async read(offset: number, length: number, io: ReadIo = {}): Promise<Uint8Array> {
    const into = io.into?.subarray(0, length) ?? new Uint8Array(length);
    await this.readInto(offset, into, io);
    return into;
  }

  async readInto(offset: number, into: Uint8Array, io: Io = {}): Promise<void> {
    const { chunk } = this.#set;
    for (let done = 0; done < into.length; ) {
      const at = offset + done;
      const length = Math.min(into.length - done, chunk - (at % chunk), PIECE);
      await this.#rebuild(at, into.subarray(done, done + length), io);
      done += length;
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
  }

  async #rebuild(at: number, into: Uint8Array, io: Io): Promise<void> {
    const { images, chunk, synced, mayBeBehind } = this.#set;
    const end = at + into.length;
    if (end > synced)
      throw new DiskError(
        'ERR_NOT_FOUND',
        `image ${this.#position} is missing, and the parity is in sync up to byte ${synced} only`,
      );
    if (mayBeBehind?.(at, end))
      throw new DiskError(
        'ERR_NOT_FOUND',
        `image ${this.#position} is missing, and the set stopped while bytes ${at} to ${end} of its images were being written: their parity may be out of date`,
      );
    const row = this.#set.row(Math.floor(at / chunk));
    const lost = images.flatMap((image, position) =>
      image.upTo < end || image.target === undefined ? position : [],
    );
    const other = lost.find(
      (position) => position !== this.#position && position !== row.p && position !== row.q,
    );
    const hasP = !lost.includes(row.p);
    const hasQ = row.q >= 0 && !lost.includes(row.q);
    if (other === undefined ? !hasP && !hasQ : !(hasP && hasQ) || lost.length > 2) {
      throw new DiskError(
        'ERR_NOT_FOUND',
        `images ${lost.join(', ')} of the RAID set are missing: too many for its parity`,
      );
    }
    const sums = { p: new Uint8Array(into.length), q: new Uint8Array(into.length) };
    const needsQ = !hasP || other !== undefined;
    const bytes = new Uint8Array(into.length);
    for (const [position, image] of images.entries()) {
      if (lost.includes(position) || image.target === undefined || (position === row.q && !needsQ)) continue;
      if (position === row.p && !hasP) continue;
      await this.#reader.read(image.target, at, bytes, io);
      if (position !== row.q && hasP) addTimes(sums.p, bytes, 1);
      if (position !== row.p && needsQ) {
        addTimes(sums.q, bytes, position === row.q ? 1 : generatorPower(row.exponent(position)));
      }
    }
    into.fill(0);
    this.#solve(row, other, hasP, sums, into);
  }

  /** Solves for this image. `sums` are the parities minus all data that was read: what remains is from the lost images. */
  #solve(
    row: RaidRow,
    other: number | undefined,
    hasP: boolean,
    sums: { readonly p: Uint8Array; readonly q: Uint8Array },
    into: Uint8Array,
  ): void {
    const mine = row.exponent(this.#position);
    if (other === undefined) {
      addTimes(into, hasP ? sums.p : sums.q, hasP ? 1 : generatorPower(-mine));
      return;
    }
    const distance = generatorPower(row.exponent(other) - mine);
    const scale = inverse(distance ^ 1);
    addTimes(into, sums.p, multiply(distance, scale));
    addTimes(into, sums.q, multiply(generatorPower(-mine), scale));
  }

  write(): Promise<number> {
    return Promise.reject(
      new DiskError('ERR_READ_ONLY', 'an image that is computed from parity is read-only'),
    );
  }

  async close(): Promise<void> {}

  getBase(): DiskModule {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
