import { roundUp } from '../binary/safe-number.ts';
import { LoadingCache } from '../cache/loading-cache.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { Limits } from '../contracts/services.ts';
import { readFully, settle, untilAborted } from '../range.ts';
import { hex } from '../text.ts';
import { ExtentList } from './extent-list.ts';
import { MAX_PARALLEL, type Mapping, type PayloadCipher, translateSome } from './mapping.ts';

/** The unit of encryption, in bytes. */
const SECTOR = 512;

/**
 * Turns extents into bytes: the one reader for all formats.
 *
 * Everything runs at once for as long as nothing has to be waited for, and a promise appears only with the first part
 * that does wait. Parts of one request wait together.
 */
export class ExtentReader {
  readonly #downstream: DiskModule;
  /** Holds the data extents: the downstream disk, or a file of its own. */
  readonly #data: DiskModule;
  readonly #mapping: Mapping;
  readonly #clusters: LoadingCache<Uint8Array>;
  readonly #limits: Limits;
  #inflated = 0;
  /** Lists and buffers that are not in use: a request takes one and puts it back. */
  readonly #spareLists: ExtentList[] = [];
  readonly #spareBuffers: Uint8Array[] = [];

  constructor(downstream: DiskModule, mapping: Mapping, limits: Limits) {
    this.#downstream = downstream;
    this.#data = mapping.dataFile ?? downstream;
    this.#mapping = mapping;
    this.#clusters = new LoadingCache(limits.clusterCacheBytes);
    this.#limits = limits;
  }

  /** Fills `into` with the guest bytes at `offset`, all of which lie inside the disk. */
  fill(offset: number, into: Uint8Array, io: Io): Promise<void> | undefined {
    const extents = this.#spareLists.pop() ?? new ExtentList();
    let done = 0;
    while (done < into.length) {
      const translating = translateSome(this.#mapping, offset + done, into.length - done, extents, io);
      if (translating !== undefined)
        return this.#fillLater(translating, false, extents, offset, into, done, io);
      const reading = this.#gather(extents, 0, offset + done, into, done, io);
      if (reading !== undefined) return this.#fillLater(reading, true, extents, offset, into, done, io);
      done += extents.covered;
    }
    this.#spareLists.push(extents);
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
    this.#spareLists.push(extents);
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
    for (let index = first; index < extents.count; index++) {
      const length = extents.length(index);
      const part = length === into.length ? into : into.subarray(position, position + length);
      let waiting: Promise<void> | undefined;
      try {
        waiting = this.#readExtent(extents, index, offset, part, io);
      } catch (error) {
        if (waits === undefined) throw error;
        waiting = fail(error); // those under way write into the buffer until they are done
      }
      offset += length;
      position += length;
      if (waiting === undefined) continue;
      waits ??= [];
      waits.push(waiting);
      if (waits.length === MAX_PARALLEL) {
        return settle(waits).then(() => this.#gather(extents, index + 1, offset, into, position, io));
      }
    }
    return waits === undefined || waits.length === 1 ? waits?.[0] : settle(waits);
  }

  #readExtent(
    extents: ExtentList,
    index: number,
    offset: number,
    part: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const kind = extents.kind(index);
    switch (kind) {
      case 'data':
        return this.#mapping.cipher === undefined
          ? this.#readData(extents.at(index), part, io)
          : this.#readEncrypted(this.#mapping.cipher, extents.at(index), offset, part, io);
      case 'zero':
        part.fill(0);
        return undefined;
      case 'base':
        return this.#readBase(offset, part, io);
      case 'compressed':
        return this.#readCompressed(extents, index, offset, part, io);
      default:
        return kind satisfies never;
    }
  }

  #readData(at: number, part: Uint8Array, io: Io): Promise<void> | undefined {
    const end = this.#data.size();
    if (at + part.length <= end) return readFully(this.#data, at, part, io);
    if (at + part.length > end + (this.#mapping.slack ?? 0)) {
      throw new DiskError('ERR_TRUNCATED', `data up to byte ${at + part.length}, the file ends at ${end}`, {
        offset: at,
      });
    }
    const stored = Math.max(0, end - at);
    part.fill(0, stored);
    return stored === 0 ? undefined : readFully(this.#data, at, part.subarray(0, stored), io);
  }

  /** Whole sectors are decrypted where they are to be; a part of a sector is cut out of the whole of it. */
  #readEncrypted(
    cipher: PayloadCipher,
    at: number,
    offset: number,
    part: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const before = offset % SECTOR;
    const length = roundUp(before + part.length, SECTOR);
    const sectors = length === part.length ? part : new Uint8Array(length);
    const first = (cipher.numbering === 'guest' ? offset - before : at - before) / SECTOR;
    const finish = (): void => {
      cipher.decrypt(sectors, first);
      if (sectors !== part) part.set(sectors.subarray(before, before + part.length));
    };
    const reading = this.#readData(at - before, sectors, io);
    if (reading !== undefined) return reading.then(finish);
    finish();
    return undefined;
  }

  #readBase(offset: number, part: Uint8Array, io: Io): Promise<void> | undefined {
    const base = this.#mapping.base;
    const covered = base === undefined ? 0 : Math.min(part.length, Math.max(0, base.size() - offset));
    if (covered < part.length) part.fill(0, covered); // a base that ends early reads as zeroes from there on
    if (base === undefined || covered === 0) return undefined;
    return readFully(base, offset, covered === part.length ? part : part.subarray(0, covered), io);
  }

  #readCompressed(
    extents: ExtentList,
    index: number,
    offset: number,
    part: Uint8Array,
    io: Io,
  ): Promise<void> | undefined {
    const at = extents.at(index);
    const skip = extents.skip(index);
    const unit = extents.unit(index);
    const end = this.#downstream.size();
    if (at >= end) {
      throw new DiskError('ERR_TRUNCATED', `a compressed cluster at byte ${at}, the file ends at ${end}`, {
        offset: at,
      });
    }
    const stored = Math.min(extents.stored(index), end - at); // the last one in a file may be cut at its last byte
    if (part.length === unit) return this.#inflate(at, stored, part, offset, io); // no detour through the cache

    const cached = this.#clusters.peek(at);
    if (cached !== undefined) {
      part.set(cached.subarray(skip, skip + part.length));
      return undefined;
    }
    let loading = this.#clusters.loading(at);
    if (loading === undefined) {
      const cluster = new Uint8Array(unit);
      const inflating = this.#inflate(at, stored, cluster, offset - skip, {}); // shared, so no single signal ends it
      if (inflating === undefined) {
        this.#clusters.put(at, cluster, unit);
        part.set(cluster.subarray(skip, skip + part.length));
        return undefined;
      }
      loading = this.#clusters.adopt(
        at,
        inflating.then(() => cluster),
        unit,
      );
    }
    return untilAborted(loading, io.signal).then((cluster) =>
      part.set(cluster.subarray(skip, skip + part.length)),
    );
  }

  /** Reads `stored` bytes at `at` and decompresses them into `cluster`, whose guest offset is `offset`. */
  #inflate(
    at: number,
    stored: number,
    cluster: Uint8Array,
    offset: number,
    io: Io,
  ): Promise<void> | undefined {
    this.#spend(cluster.length);
    let buffer = this.#spareBuffers.pop();
    if (buffer === undefined || buffer.length < stored)
      buffer = new Uint8Array(roundUp(stored, cluster.length));
    const bytes = buffer.subarray(0, stored);
    const reading = readFully(this.#downstream, at, bytes, io);
    const finish = (): void => {
      this.#decompress(bytes, cluster, at, offset);
      if (this.#spareBuffers.length < MAX_PARALLEL) this.#spareBuffers.push(buffer);
    };
    if (reading !== undefined) return reading.then(finish);
    finish();
    return undefined;
  }

  /** A small image can claim to expand without end: the budget ends that. */
  #spend(bytes: number): void {
    const { maxInflatedBytes, maxInflationRatio } = this.#limits;
    this.#inflated += bytes;
    const allowed = Math.min(maxInflatedBytes, maxInflationRatio * this.#downstream.size());
    if (this.#inflated <= allowed) return;
    throw new DiskError(
      'ERR_LIMIT',
      `${this.#inflated} bytes decompressed, maxInflatedBytes and maxInflationRatio allow ${allowed}`,
    );
  }

  #decompress(stored: Uint8Array, cluster: Uint8Array, at: number, offset: number): void {
    const decompress = this.#mapping.decompress;
    if (decompress === undefined) {
      throw new DiskError('ERR_UNSUPPORTED', 'the format has compressed clusters and no decompressor', {
        offset: at,
      });
    }
    try {
      decompress(stored, cluster);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DiskError(
        'ERR_CORRUPT',
        `the compressed cluster of guest offset ${hex(offset)} (${stored.length} bytes stored, ${cluster.length} expected) does not decompress: ${why}`,
        { offset: at, cause },
      );
    }
  }
}

async function fail(error: unknown): Promise<never> {
  throw error;
}
