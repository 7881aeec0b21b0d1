import { awaitAll, rejected } from '../async/await-all.ts';
import { andThen } from '../async/maybe-promise.ts';
import { roundUp } from '../binary/safe-number.ts';
import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { Limits } from '../contracts/services.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { readFully } from '../io/range.ts';
import { ClusterReader, compressedRunEnd } from './cluster-reader.ts';
import { ExtentList } from './extent-list.ts';
import { InflationBudget } from './inflation-budget.ts';
import { MAX_PARALLEL, type Mapping, translateSome } from './mapping.ts';
import { checkSector, cipherSectors, type PayloadCipher } from './payload-cipher.ts';

/** Unused lists, shared by all disks. A request takes one and returns it. */
const spareLists: ExtentList[] = [];
/** Lists that are kept: as many as requests that one program usually has in flight. A list takes some 30 KiB. */
const MAX_SPARE = 32;

function keep(extents: ExtentList): void {
  if (spareLists.length < MAX_SPARE) spareLists.push(extents);
}

/**
 * Reads the bytes of extents, for all formats.
 *
 * A request runs synchronously up to the first part that needs a promise; if no part does, it makes none. The parts of a request
 * that wait do so in parallel.
 */
export class ExtentReader {
  readonly #sources: readonly (DiskModule | undefined)[];
  readonly #mapping: Mapping;
  readonly #limits: Limits;
  /** One reader for each source and codec of compressed extents, indexed as in `#clustersOf`. */
  readonly #clusters: ClusterReader[] = [];
  #budget: InflationBudget | undefined;

  constructor(sources: readonly (DiskModule | undefined)[], mapping: Mapping, limits: Limits) {
    this.#sources = sources;
    this.#mapping = mapping;
    this.#limits = limits;
  }

  /** Drops the cached decompressed clusters, because their places may have been reused. */
  forgetCompressed(): void {
    for (const clusters of this.#clusters) clusters?.forget();
  }

  #clustersOf(source: number, codec: number): ClusterReader {
    const number = codec * this.#sources.length + source;
    let clusters = this.#clusters[number];
    if (clusters === undefined) {
      const decompress = this.#mapping.codecs?.[codec];
      this.#budget ??= new InflationBudget(
        this.#sources.filter((disk) => disk !== undefined),
        this.#limits,
      );
      clusters = new ClusterReader(this.#sourceAt(source), decompress, this.#limits, this.#budget);
      this.#clusters[number] = clusters;
    }
    return clusters;
  }

  #sourceAt(source: number): DiskModule {
    const disk = this.#sources[source];
    if (disk !== undefined) return disk;
    throw new DiskError('ERR_INTERNAL', `an extent on source ${source}, which the format does not have`);
  }

  /** Fills `into` with the guest bytes at `offset`. The whole range has to be inside the disk. */
  fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    const extents = spareLists.pop() ?? new ExtentList();
    let done = 0;
    while (done < into.length) {
      const translating = translateSome(this.#mapping, offset + done, into.length - done, extents, io);
      if (translating !== undefined)
        return this.#fillLater(translating, false, extents, offset, into, done, io);
      const reading = this.#gather(extents, 0, offset + done, into, done, io);
      if (reading !== undefined) return this.#fillLater(reading, true, extents, offset, into, done, io);
      done += extents.covered;
    }
    keep(extents);
    return undefined;
  }

  /** Continues `fill` after its first promise. `waiting` is a translation or, if `gathered`, the read of what was translated. */
  async #fillLater(
    waiting: Promise<void>,
    gathered: boolean,
    extents: ExtentList,
    offset: number,
    into: Uint8Array,
    done: number,
    io: Io,
  ): Promise<void> {
    await waiting;
    if (!gathered) await this.#gather(extents, 0, offset + done, into, done, io);
    done += extents.covered;
    while (done < into.length) {
      await translateSome(this.#mapping, offset + done, into.length - done, extents, io);
      await this.#gather(extents, 0, offset + done, into, done, io);
      done += extents.covered;
    }
    keep(extents);
  }

  /** Reads the extents from `first` to the last. `offset` is the guest offset of `first`, whose bytes go to `into[position]`. */
  #gather(
    extents: ExtentList,
    first: number,
    offset: number,
    into: Uint8Array,
    position: number,
    io: Io,
  ): Promise<void> | undefined {
    let waits: Promise<void>[] | undefined;
    for (let index = first; index < extents.count; ) {
      const end = extents.kind(index) === 'compressed' ? compressedRunEnd(extents, index) : index + 1;
      let length = 0;
      for (let part = index; part < end; part++) length += extents.length(part);
      const part = length === into.length ? into : into.subarray(position, position + length);
      let waiting: Promise<void> | undefined;
      try {
        waiting = this.#readExtents(extents, index, end, offset, part, io);
      } catch (error) {
        if (waits === undefined) throw error;
        waiting = rejected(error); // throw later: parts in flight still write to the buffer
      }
      index = end;
      offset += length;
      position += length;
      if (waiting === undefined) continue;
      waits ??= [];
      waits.push(waiting);
      if (waits.length === MAX_PARALLEL) {
        return awaitAll(waits).then(() => this.#gather(extents, index, offset, into, position, io));
      }
    }
    return waits === undefined || waits.length === 1 ? waits?.[0] : awaitAll(waits);
  }

  /** Reads the extents from `index` to `end` (exclusive): one extent, or a run of compressed ones. */
  #readExtents(
    extents: ExtentList,
    index: number,
    end: number,
    offset: number,
    part: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const kind = extents.kind(index);
    switch (kind) {
      case 'data':
        return this.#mapping.cipher === undefined
          ? this.#readData(extents.source(index), extents.at(index), part, this.#mapping.slack, io)
          : this.#readEncrypted(this.#mapping.cipher, extents, index, offset, part, io);
      case 'unplaced':
        return this.#readData(extents.source(index), extents.at(index), part, 0, io);
      case 'zero':
        part.fill(0);
        return undefined;
      case 'base':
        return this.#readBase(offset, part, io);
      case 'compressed':
        return this.#clustersOf(extents.source(index), extents.codec(index)).read(
          extents,
          index,
          end,
          offset,
          part,
          io,
        );
      default:
        return kind satisfies never;
    }
  }

  /** Reads stored bytes. Up to `slack` bytes past the end of the source read as zeroes. */
  #readData(
    source: number,
    at: number,
    part: Uint8Array,
    slack: number | undefined,
    io: Io,
  ): Promise<void> | undefined {
    const disk = this.#sourceAt(source);
    const end = disk.size();
    if (at + part.length <= end) return readFully(disk, at, part, io);
    if (at + part.length > end + (slack ?? 0)) {
      const file = can(disk, 'location') ? quote(disk.location) : 'the file';
      throw new DiskError(
        'ERR_TRUNCATED',
        `data extends to byte ${at + part.length}, but ${file} ends at ${end}`,
        { offset: at },
      );
    }
    const stored = Math.max(0, end - at);
    part.fill(0, stored);
    return stored === 0 ? undefined : readFully(disk, at, part.subarray(0, stored), io);
  }

  /** Reads and decrypts. Whole sectors are decrypted in `part` itself, a partial sector in a copy of the whole one. */
  #readEncrypted(
    cipher: PayloadCipher,
    extents: ExtentList,
    index: number,
    offset: number,
    part: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const at = extents.at(index);
    const { sectorSize, numbering } = cipher;
    const before = offset % sectorSize;
    const length = roundUp(before + part.length, sectorSize);
    const sectors = length === part.length ? part : new Uint8Array(length);
    const first = ((numbering === 'guest' ? offset : at) - before) / sectorSize;
    checkSector(first, at - before, sectorSize);
    const finish = (): Promise<void> | undefined => {
      const decrypting = cipherSectors(cipher, 'decrypt', sectors, first);
      if (sectors === part) return decrypting;
      return andThen(decrypting, (): undefined => {
        part.set(sectors.subarray(before, before + part.length));
      });
    };
    const reading = this.#readData(extents.source(index), at - before, sectors, this.#mapping.slack, io);
    return andThen(reading, finish);
  }

  #readBase(offset: number, part: Uint8Array, io: Io): Promise<void> | undefined {
    const base = this.#mapping.base;
    const covered = base === undefined ? 0 : Math.min(part.length, Math.max(0, base.size() - offset));
    if (covered < part.length) part.fill(0, covered); // past its end the base reads as zeroes
    if (base === undefined || covered === 0) return undefined;
    return readFully(base, offset, covered === part.length ? part : part.subarray(0, covered), io);
  }
}
