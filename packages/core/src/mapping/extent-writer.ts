import { awaitAll } from '../async/await-all.ts';
import { breathe } from '../async/breathe.ts';
import type { MaybePromise } from '../async/maybe-promise.ts';
import { roundUp } from '../binary/safe-number.ts';
import { can } from '../contracts/abilities.ts';
import type { ZeroesIo } from '../contracts/changes.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { writeFully } from '../io/range.ts';
import { type ExtentKind, ExtentList } from './extent-list.ts';
import type { ExtentReader } from './extent-reader.ts';
import { MAX_PARALLEL, type Mapping, translateSome } from './mapping.ts';
import type { MappingWriter, PlacedPart, Placement, WriteEngine } from './mapping-writer.ts';
import { checkSector, cipherSectors } from './payload-cipher.ts';
import { RangeLocks, type Release } from './range-locks.ts';
import { ReadEpochs } from './read-epochs.ts';

/** Bytes up to which what is copied up and what is written go down together, as one write. */
const JOINED = 1024 * 1024;
/** Bytes that are placed at a time, where they have to be copied anyhow: for encryption. */
const PIECE = 2 * 1024 * 1024;

/**
 * Brings bytes to the places that a format gives them: the one writer for all formats.
 *
 * A write that can go where the old bytes are goes there, beside others. Every other write has the units that it touches
 * for itself: it is placed, goes down together with what has to be copied up, and is committed then.
 */
export class ExtentWriter implements WriteEngine {
  readonly epochs: ReadEpochs = new ReadEpochs();
  readonly #downstream: DiskModule | undefined;
  readonly #sources: readonly (DiskModule | undefined)[];
  readonly #mapping: Mapping;
  readonly #writer: MappingWriter;
  readonly #reader: ExtentReader;
  readonly #locks = new RangeLocks();

  constructor(
    downstream: DiskModule | undefined,
    sources: readonly (DiskModule | undefined)[],
    mapping: Mapping,
    writer: MappingWriter,
    reader: ExtentReader,
  ) {
    this.#downstream = downstream;
    this.#sources = sources;
    this.#mapping = mapping;
    this.#writer = writer;
    this.#reader = reader;
    writer.attach?.(this);
  }

  readsOver(): Promise<void> | undefined {
    return this.epochs.whenOver();
  }

  forgetCompressed(): void {
    this.#reader.forgetCompressed();
  }

  /** All of them are downstream when it resolves. */
  async put(offset: number, data: Uint8Array, io: Io): Promise<void> {
    const end = offset + data.length;
    const sector = this.#mapping.cipher?.sectorSize ?? 1;
    if (offset % sector === 0 && end % sector === 0) {
      const release = await this.#lock(offset, end, false, io);
      try {
        const recording = this.#writer.record?.(offset, data.length);
        if (recording !== undefined) await recording;
        const placement = await this.#writer.inPlace(offset, data.length, io);
        if (placement !== undefined) return await this.#carry(placement, offset, data, io);
      } finally {
        release();
      }
    }
    const release = await this.#lock(offset, end, true, io);
    try {
      const recording = this.#writer.record?.(offset, data.length);
      if (recording !== undefined) await recording;
      await this.write(offset, data, io);
    } finally {
      release();
    }
  }

  async write(offset: number, data: Uint8Array, io: Io): Promise<void> {
    const most = this.#mapping.cipher === undefined ? data.length : PIECE;
    let done = 0;
    while (done < data.length) {
      throwIfAborted(io.signal);
      const pause = breathe();
      if (pause !== undefined) await pause;
      const piece = data.subarray(done, done + most);
      const placement = await this.#writer.place(offset + done, piece.length, io);
      try {
        await this.#carry(placement, offset + done, piece, io);
      } catch (error) {
        placement.abandon?.();
        throw error;
      }
      placement.commit?.();
      done += placement.length;
    }
  }

  /** Zeroes: whole units by the format's own means, the rest as bytes. */
  async zero(offset: number, length: number, io: ZeroesIo): Promise<void> {
    const end = offset + length;
    const unit = this.#writer.zeroUnit ?? this.#writer.unit;
    const first = roundUp(offset, unit);
    const last = end === this.#mapping.size ? roundUp(end, unit) : end - (end % unit);
    await this.#recordWhole(offset, end, io);
    if (first >= last || this.#writer.zero === undefined) return await this.#putZeroes(offset, end, io);
    await this.#putZeroes(offset, Math.min(first, end), io);
    const release = await this.#lock(first, last, true, io);
    let isDone: boolean;
    try {
      await this.#writer.record?.(first, Math.min(last, this.#mapping.size) - first);
      isDone = await this.#writer.zero(first, Math.min(last, this.#mapping.size) - first, io);
    } finally {
      release();
    }
    if (!isDone) await this.#putZeroes(first, Math.min(last, end), io);
    if (last < end) await this.#putZeroes(last, end, io);
  }

  async discard(offset: number, length: number, io: Io): Promise<void> {
    const { unit } = this.#writer;
    const { size } = this.#mapping;
    const end = offset + length;
    const first = roundUp(offset, unit);
    const last = end === size ? roundUp(end, unit) : end - (end % unit);
    await this.#recordWhole(offset, end, io);
    if (first >= last) return;
    const release = await this.#lock(first, last, true, io);
    try {
      await this.#writer.record?.(first, Math.min(last, size) - first);
      await this.#writer.discard?.(first, Math.min(last, size) - first, io);
    } finally {
      release();
    }
  }

  /** One unit, padded with zeroes past the end of the disk. */
  async compress(offset: number, cluster: Uint8Array, io: Io): Promise<void> {
    const { unit } = this.#writer;
    const wanted = Math.min(unit, this.#mapping.size - offset);
    if (offset % unit !== 0 || cluster.length !== wanted) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `${cluster.length} bytes at offset ${offset} are not one cluster of ${unit} bytes`,
      );
    }
    const release = await this.#lock(offset, offset + unit, true, io);
    try {
      await this.#writer.record?.(offset, cluster.length);
      let whole = cluster;
      if (cluster.length < unit) {
        whole = new Uint8Array(unit);
        whole.set(cluster);
      }
      if (await this.#writer.compress?.(offset, whole, io)) return;
      await this.write(offset, cluster, io);
    } finally {
      release();
    }
  }

  /** All that was asked for counts as changed, as qemu has it, also where nothing has to be written for it. */
  async #recordWhole(offset: number, end: number, io: Io): Promise<void> {
    if (this.#writer.record === undefined) return;
    const release = await this.#lock(offset, end, false, io);
    try {
      await this.#writer.record(offset, end - offset);
    } finally {
      release();
    }
  }

  /** Work that has the whole disk for itself. */
  async alone<T>(io: Io, work: () => Promise<T>): Promise<T> {
    const release = await this.#locks.acquire(0, Number.POSITIVE_INFINITY, true, io.signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  #lock(start: number, end: number, exclusive: boolean, io: Io): MaybePromise<Release> {
    const { unit } = this.#writer;
    return this.#locks.acquire(start - (start % unit), roundUp(end, unit), exclusive, io.signal);
  }

  async #carry(placement: Placement, offset: number, data: Uint8Array, io: Io): Promise<void> {
    let writes: Promise<void>[] = [];
    for (const part of placement.parts) {
      const bytes = data.subarray(part.offset - offset, part.offset - offset + part.length);
      writes.push(this.#writePart(part, bytes, io));
      if (writes.length < MAX_PARALLEL) continue;
      await awaitAll(writes);
      writes = [];
    }
    await awaitAll(writes);
  }

  async #writePart(part: PlacedPart, data: Uint8Array, io: Io): Promise<void> {
    const { offset, length, at, source = 0 } = part;
    const { cipher } = this.#mapping;
    let { before, after } = part;
    if (cipher === undefined) {
      if (before + after === 0) return await this.#down(source, at, data, io);
      if (before + length + after > JOINED) {
        const head = await this.#guestBytes(offset - before, before, io);
        const tail = await this.#guestBytes(offset + length, after, io);
        const down = [this.#down(source, at - before, head, io), this.#down(source, at, data, io)];
        return await awaitAll([...down, this.#down(source, at + length, tail, io)]);
      }
    } else {
      const { sectorSize } = cipher;
      before += (offset - before) % sectorSize;
      after += roundUp(offset + length + after, sectorSize) - (offset + length + after);
    }
    const whole = new Uint8Array(before + length + after);
    await this.#guestFill(offset - before, whole.subarray(0, before), io);
    whole.set(data, before);
    await this.#guestFill(offset + length, whole.subarray(before + length), io);
    if (cipher !== undefined) {
      const first = ((cipher.numbering === 'guest' ? offset : at) - before) / cipher.sectorSize;
      checkSector(first, at - before, cipher.sectorSize);
      await cipherSectors(cipher, 'encrypt', whole, first);
    }
    await this.#down(source, at - before, whole, io);
  }

  async #guestBytes(offset: number, length: number, io: Io): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#guestFill(offset, bytes, io);
    return bytes;
  }

  /** As the guest reads them now; `into` is zeroes already, and stays so past the end of the disk. */
  async #guestFill(offset: number, into: Uint8Array, io: Io): Promise<void> {
    const there = Math.min(into.length, Math.max(0, this.#mapping.size - offset));
    if (there > 0) await this.#reader.fill(offset, into.subarray(0, there), io);
  }

  async #down(source: number, at: number, bytes: Uint8Array, io: Io): Promise<void> {
    const disk = this.#sources[source];
    if (disk === undefined) throw new DiskError('ERR_INTERNAL', `a part placed on source ${source}`);
    if (bytes.length > 0) await writeFully(disk, at, bytes, io);
  }

  /** Zeroes as bytes, but where the disk reads as zeroes already and need not say so itself. */
  async #putZeroes(offset: number, end: number, io: ZeroesIo): Promise<void> {
    if (offset >= end) return;
    const downstream = this.#downstream;
    const { transparent, sources } = this.#mapping;
    if (transparent && sources === undefined && downstream !== undefined && can(downstream, 'writeZeroes'))
      return await downstream.writeZeroes(offset, end - offset, io);
    const extents = new ExtentList();
    let zeroes: Uint8Array | undefined;
    while (offset < end) {
      throwIfAborted(io.signal);
      const pause = breathe();
      if (pause !== undefined) await pause;
      await translateSome(this.#mapping, offset, end - offset, extents, io);
      let position = offset;
      for (let index = 0; index < extents.count; index++) {
        const length = extents.length(index);
        const isThere =
          extents.kind(index) === 'zero' || (!io.explicit && this.#isBare(extents.kind(index), position));
        if (!isThere) {
          for (let done = 0; done < length; done += PIECE) {
            zeroes ??= new Uint8Array(Math.min(PIECE, end - offset));
            await this.put(position + done, zeroes.subarray(0, Math.min(PIECE, length - done)), io);
          }
        }
        position += length;
      }
      offset += extents.covered;
    }
  }

  /** No layer of the chain has these bytes. */
  #isBare(kind: ExtentKind, offset: number): boolean {
    const { base } = this.#mapping;
    return kind === 'base' && (base === undefined || base.size() <= offset);
  }
}
