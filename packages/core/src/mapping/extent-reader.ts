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

/** Lists that are not in use, of all disks: a request takes one and puts it back. */
const spareLists: ExtentList[] = [];

/**
 * Turns extents into bytes: the one reader for all formats.
 *
 * Everything runs synchronously for as long as nothing has to be waited for, and a promise appears only with the first part
 * that does wait. Parts of one request wait together.
 */
export class ExtentReader {
  readonly #sources: readonly (DiskModule | undefined)[];
  readonly #mapping: Mapping;
  readonly #limits: Limits;
  /** One for each source and codec that compressed extents name, by `#clustersOf`. */
  readonly #clusters: ClusterReader[] = [];
  #budget: InflationBudget | undefined;

  constructor(sources: readonly (DiskModule | undefined)[], mapping: Mapping, limits: Limits) {
    this.#sources = sources;
    this.#mapping = mapping;
    this.#limits = limits;
  }

  /** Other bytes may be stored where compressed clusters were: what came of those is dropped. */
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

  /** Fills `into` with the guest bytes at `offset`, all of which lie inside the disk. */
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
    spareLists.push(extents);
    return undefined;
  }

  /** `fill` from its first wait on: `waiting` is a translation, or the reading of what was translated (`gathered`). */
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
    spareLists.push(extents);
  }

  /** Reads the extents from number `first` on; the bytes of that one are at `offset` and go to `into[position]`. */
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
        waiting = rejected(error); // those under way write into the buffer until they are done
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

  /** Extents `index` up to, not including, `end`: one, or a run of compressed ones. */
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

  /** Up to `slack` bytes past the end of the source read as zeroes. */
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
      throw new DiskError('ERR_TRUNCATED', `data up to byte ${at + part.length}, ${file} ends at ${end}`, {
        offset: at,
      });
    }
    const stored = Math.max(0, end - at);
    part.fill(0, stored);
    return stored === 0 ? undefined : readFully(disk, at, part.subarray(0, stored), io);
  }

  /** Whole sectors are decrypted where they are to be; a part of a sector is cut out of the whole of it. */
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
    if (covered < part.length) part.fill(0, covered); // a base that ends early reads as zeroes from there on
    if (base === undefined || covered === 0) return undefined;
    return readFully(base, offset, covered === part.length ? part : part.subarray(0, covered), io);
  }
}
