import { awaitAll, rejected } from '../async/await-all.ts';
import { roundUp } from '../binary/safe-number.ts';
import { SECTOR } from '../binary/sector.ts';
import { type Able, can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { DiskError } from '../errors/disk-error.ts';
import { clipRange, readFully } from '../io/range.ts';
import { placeFrom } from '../mapping/extent-source.ts';
import { mergeExtents } from '../mapping/merge-extents.ts';
import { ReadOnlyDisk } from './disk-base.ts';

/** One of the disks, and the guest offset at which it begins. */
interface Part {
  readonly disk: DiskModule;
  readonly offset: number;
  /** Bytes up to the next disk, including the zeroes that pad this one. */
  readonly length: number;
}

/**
 * Several disks concatenated into one. Each disk but the last is padded with zeroes to a whole number of sectors, as qemu-img
 * does. Read-only. Owns the disks.
 */
export class ConcatDisk extends ReadOnlyDisk implements Able<'extents'> {
  readonly diskType = '';
  readonly blockSize = SECTOR;
  readonly #disks: readonly DiskModule[];
  #parts: readonly Part[] = [];
  #size = 0;

  protected readonly readOnlyReason = 'concatenated disks are read-only';

  constructor(disks: readonly DiskModule[]) {
    super();
    this.#disks = disks;
  }

  protected async open(io: Io): Promise<void> {
    for (const disk of this.#disks) await disk.init(io);
    this.#parts = this.#disks.map((disk, index) => {
      const isLast = index === this.#disks.length - 1;
      const part = { disk, offset: this.#size, length: isLast ? disk.size() : roundUp(disk.size(), SECTOR) };
      this.#size += part.length;
      return part;
    });
    if (Number.isSafeInteger(this.#size)) return;
    throw new DiskError(
      'ERR_LIMIT',
      `${this.#disks.length} concatenated disks are longer than 2^53 - 1 bytes`,
    );
  }

  protected length(): number {
    return this.#size;
  }

  /** The guest offset at which each disk begins, in the order of the disks. */
  starts(): readonly number[] {
    this.life.check();
    return this.#parts.map(({ offset }) => offset);
  }

  protected fill(offset: number, into: Uint8Array, io?: Io): Promise<void> | undefined {
    const waits: Promise<void>[] = [];
    try {
      for (const part of this.#partsOf(offset, offset + into.length)) {
        const bytes = into.subarray(
          Math.max(0, part.offset - offset),
          Math.min(into.length, part.offset + part.length - offset),
        );
        const start = Math.max(0, offset - part.offset);
        const there = Math.max(0, Math.min(bytes.length, part.disk.size() - start));
        bytes.fill(0, there);
        const reading = there === 0 ? undefined : readFully(part.disk, start, bytes.subarray(0, there), io);
        if (reading !== undefined) waits.push(reading);
      }
    } catch (error) {
      return awaitAll([...waits, rejected(error)]); // waits for the started reads: they write into the buffer
    }
    return waits.length === 0 ? undefined : awaitAll(waits);
  }

  /** The extents of the disks. Each extent names the file that its place is in. */
  async *extents(offset = 0, length?: number, io?: ExtentsIo): AsyncIterable<DiskExtent> {
    const end = offset + clipRange(this.size(), offset, length);
    yield* mergeExtents(this.#extentsOfParts(offset, end, io));
  }

  async *#extentsOfParts(offset: number, end: number, io?: ExtentsIo): AsyncGenerator<DiskExtent> {
    for (const part of this.#partsOf(offset, end)) {
      const { disk } = part;
      const from = Math.max(0, offset - part.offset);
      const to = Math.min(part.length, end - part.offset);
      const there = Math.max(0, Math.min(to, disk.size()) - from);
      const at = part.offset + from;
      if (there > 0 && can(disk, 'extents')) {
        for await (const extent of disk.extents(from, there, io)) {
          const { at: _at, source: _source, ...more } = extent;
          yield { ...more, offset: part.offset + extent.offset, ...placeFrom(disk, extent) };
        }
      } else if (there > 0) {
        yield { offset: at, length: there, kind: 'data', depth: 0, present: true, at: from, source: disk };
      }
      const padding = to - from - there;
      if (padding > 0) yield { offset: at + there, length: padding, kind: 'zero', depth: 0, present: true };
    }
  }

  #partsOf(offset: number, end: number): readonly Part[] {
    return this.#parts.filter((part) => part.offset < end && part.offset + part.length > offset);
  }

  protected async release(): Promise<void> {
    for (const disk of this.#disks) await disk.close();
  }
}
