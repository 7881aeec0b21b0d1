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

/** Maximum bytes that are joined to one write: the written bytes and those that are copied up around them. */
const MAX_JOINED = 1024 * 1024;
/** Maximum bytes per write if the bytes have to be copied anyway: for encryption, and for zeroes. */
const PIECE = 2 * 1024 * 1024;

/**
 * Writes bytes to the places that a format returns, for all formats.
 *
 * A write that can overwrite the old bytes in place does so, in parallel with others. Any other write locks its units
 * exclusively: the format places it, the engine writes its bytes and those to copy up, and the format commits it.
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

  /** Writes guest bytes. When it resolves, all of them are written downstream. */
  async put(offset: number, data: Uint8Array, io: Io): Promise<void> {
    const end = offset + data.length;
    const sector = this.#mapping.cipher?.sectorSize ?? 1;
    if (offset % sector === 0 && end % sector === 0) {
      const release = await this.lock(offset, end, false, io);
      try {
        const recording = this.#writer.record?.(offset, data.length);
        if (recording !== undefined) await recording;
        const placement = await this.#writer.inPlace(offset, data.length, io);
        if (placement !== undefined) return await this.#writeParts(placement, offset, data, io);
      } finally {
        release();
      }
    }
    const release = await this.lock(offset, end, true, io);
    try {
      const recording = this.#writer.record?.(offset, data.length);
      if (recording !== undefined) await recording;
      await this.write(offset, data, io);
    } finally {
      release();
    }
  }

  /** Places and writes guest bytes. The caller holds an exclusive lock on their units. */
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
        await this.#writeParts(placement, offset + done, piece, io);
      } catch (error) {
        placement.abandon?.();
        throw error;
      }
      placement.commit?.();
      done += placement.length;
    }
  }

  /** Makes a range read as zeroes: whole zero units by the format's `zero`, the rest by writing zeroes. */
  async zero(offset: number, length: number, io: ZeroesIo): Promise<void> {
    const end = offset + length;
    const unit = this.#writer.zeroUnit ?? this.#writer.unit;
    const first = roundUp(offset, unit);
    const last = end === this.#mapping.size ? roundUp(end, unit) : end - (end % unit);
    await this.#recordWhole(offset, end, io);
    if (first >= last || this.#writer.zero === undefined) return await this.#putZeroes(offset, end, io);
    await this.#putZeroes(offset, Math.min(first, end), io);
    const release = await this.lock(first, last, true, io);
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

  /** Discards the whole units in a range. */
  async discard(offset: number, length: number, io: Io): Promise<void> {
    const { unit } = this.#writer;
    const { size } = this.#mapping;
    const end = offset + length;
    const first = roundUp(offset, unit);
    const last = end === size ? roundUp(end, unit) : end - (end % unit);
    await this.#recordWhole(offset, end, io);
    if (first >= last) return;
    const release = await this.lock(first, last, true, io);
    try {
      await this.#writer.record?.(first, Math.min(last, size) - first);
      await this.#writer.discard?.(first, Math.min(last, size) - first, io);
    } finally {
      release();
    }
  }

  /** Writes one unit compressed. A unit at the end of the disk is padded with zeroes. */
  async compress(offset: number, cluster: Uint8Array, io: Io): Promise<void> {
    const { unit } = this.#writer;
    const wanted = Math.min(unit, this.#mapping.size - offset);
    if (offset % unit !== 0 || cluster.length !== wanted) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `${cluster.length} bytes at offset ${offset} are not one cluster of ${unit} bytes`,
      );
    }
    const release = await this.lock(offset, offset + unit, true, io);
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

  /** Records the whole range as changed, as qemu does, even where nothing has to be written. */
  async #recordWhole(offset: number, end: number, io: Io): Promise<void> {
    if (this.#writer.record === undefined) return;
    const release = await this.lock(offset, end, false, io);
    try {
      await this.#writer.record(offset, end - offset);
    } finally {
      release();
    }
  }

  /** Runs `work` with an exclusive lock on the whole disk. */
  async alone<T>(io: Io, work: () => Promise<T>): Promise<T> {
    const release = await this.#locks.acquire(0, Number.POSITIVE_INFINITY, true, io.signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** Locks the units of a range. */
  lock(start: number, end: number, exclusive: boolean, io: Io): MaybePromise<Release> {
    const { unit } = this.#writer;
    return this.#locks.acquire(start - (start % unit), roundUp(end, unit), exclusive, io.signal);
  }

  async #writeParts(placement: Placement, offset: number, data: Uint8Array, io: Io): Promise<void> {
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
      if (before + after === 0) return await this.#writeTo(source, at, data, io);
      if (before + length + after > MAX_JOINED) {
        const head = await this.#guestBytes(offset - before, before, io);
        const tail = await this.#guestBytes(offset + length, after, io);
        const writes = [this.#writeTo(source, at - before, head, io), this.#writeTo(source, at, data, io)];
        return await awaitAll([...writes, this.#writeTo(source, at + length, tail, io)]);
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
    await this.#writeTo(source, at - before, whole, io);
  }

  async #guestBytes(offset: number, length: number, io: Io): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#guestFill(offset, bytes, io);
    return bytes;
  }

  /** Reads current guest bytes into `into`, which has to be zeroed: it stays zero past the end of the disk. */
  async #guestFill(offset: number, into: Uint8Array, io: Io): Promise<void> {
    const there = Math.min(into.length, Math.max(0, this.#mapping.size - offset));
    if (there > 0) await this.#reader.fill(offset, into.subarray(0, there), io);
  }

  async #writeTo(source: number, at: number, bytes: Uint8Array, io: Io): Promise<void> {
    const disk = this.#sources[source];
    if (disk === undefined)
      throw new DiskError('ERR_INTERNAL', `a write to source ${source}, which the format does not have`);
    if (bytes.length > 0) await writeFully(disk, at, bytes, io);
  }

  /**
   * Writes literal zeroes. Skips ranges that already read as zeroes (with `explicit`: only those that this layer maps as zeroes).
   */
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
        const readsAsZero =
          extents.kind(index) === 'zero' ||
          (!io.explicit && this.#isUnallocatedInChain(extents.kind(index), position));
        if (!readsAsZero) {
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

  /** Whether no layer of the chain maps these bytes. */
  #isUnallocatedInChain(kind: ExtentKind, offset: number): boolean {
    const { base } = this.#mapping;
    return kind === 'base' && (base === undefined || base.size() <= offset);
  }
}
